import Foundation
import Testing

@testable import KanaInk

private let cases = ProcessInfo.processInfo.environment["KANA_CASES"]

/// The drawings that Python wrote, with the pictures that it made of them: runs of [count, value, …] over the rows.
private struct Golden: Decodable {
    let name: String
    let runs: [Int]
    let drawing: Drawing

    private enum Key: String, CodingKey { case name, runs }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        name = try values.decode(String.self, forKey: .name)
        runs = try values.decode([Int].self, forKey: .runs)
        drawing = try Drawing(from: decoder)
    }

    var picture: [UInt8] {
        stride(from: 0, to: runs.count, by: 2).flatMap { [UInt8](repeating: UInt8(runs[$0 + 1]), count: runs[$0]) }
    }
}

@Suite struct GoldenTests {
    @Test func everyGoldenDrawingIsAsPythonDrewIt() throws {
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../tests/data").standardized
        let data = try Data(contentsOf: root.appendingPathComponent("golden_drawings.json"))
        let golden = try JSONDecoder().decode([Golden].self, from: data)
        #expect(golden.count >= 20)
        for entry in golden {
            let made = Rasterizer.picture(of: entry.drawing).pixels
            let apart = zip(made, entry.picture).map { abs(Int($0) - Int($1)) }.max() ?? 255
            #expect(made.count == entry.picture.count)
            #expect(apart <= 1, "\(entry.name): \(apart) of 255 apart")
        }
    }

    /// Drawings of Python's at random: it compares the pictures, which are written one after the other.
    @Test(.enabled(if: cases != nil, "tests/test_ios.py gives them")) func picturesForPython() throws {
        let folder = URL(fileURLWithPath: cases ?? "")
        let data = try Data(contentsOf: folder.appendingPathComponent("drawings.json"))
        let drawings = try JSONDecoder().decode([Drawing].self, from: data)
        let pictures = drawings.flatMap { Rasterizer.picture(of: $0).pixels }
        try Data(pictures).write(to: folder.appendingPathComponent("pictures"))
    }

    @Test func anotherSizeOfTheCanvasGivesTheSamePicture() throws {
        let small = try Drawing(
            width: 1, height: 1, strokes: [Stroke([InkPoint(x: 0.25, y: 0.5), InkPoint(x: 0.75, y: 0.5)])])
        let large = try Drawing(
            width: 1024, height: 1024, strokes: [Stroke([InkPoint(x: 256, y: 512), InkPoint(x: 768, y: 512)])])
        #expect(Rasterizer.picture(of: small) == Rasterizer.picture(of: large))
        #expect(!Rasterizer.picture(of: small).isBlank)
    }
}
