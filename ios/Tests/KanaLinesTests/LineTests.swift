import Foundation
import KanaInk
import KanaReading
import Testing

@testable import KanaLines

private let cases = ProcessInfo.processInfo.environment["KANA_CASES"]

/// A line of tests/data/golden_lines.json, with the pictures that Python asks the network about (bytes in base 64, one
/// after the other), and for each the labels that are not next to impossible.
private struct Golden: Decodable {
    struct Expected: Decodable {
        let text: String
        let boxes: [[Double]]
        let confidence: [Double]
    }
    let name: String
    let down: Bool
    let drawing: Drawing
    let bigrams: Expected
    let plain: Expected
    let pictures: Data
    let answers: [[String: Double]]
}

/// The network's answers in the order in which Python asked.
private actor Network: CharacterReading {
    private let golden: Golden
    private let modelFacts: ModelFacts
    private var asked = 0
    /// The largest difference of a pixel.
    private(set) var apart = 0

    init(_ golden: Golden, _ facts: ModelFacts) { (self.golden, modelFacts) = (golden, facts) }

    func facts() -> ModelFacts { modelFacts }

    func probabilities(of picture: Picture) throws -> [String: Double] {
        let area = picture.pixels.count
        let expected = golden.pictures.dropFirst(asked * area).prefix(area)
        try #require(expected.count == area)
        apart = max(apart, zip(picture.pixels, expected).map { abs(Int($0) - Int($1)) }.max() ?? 255)
        asked += 1
        return golden.answers[asked - 1]
    }
}

@Suite struct LineTests {
    private func facts() throws -> ModelFacts {
        let labels = URL(fileURLWithPath: #filePath)
            .appendingPathComponent("../../../../export/pretrained/japanese/labels.json").standardized
        return try ModelFacts(labelsJSON: Data(contentsOf: labels))
    }

    @Test(.enabled(if: cases != nil, "tests/test_ios.py gives them")) func linesAreThoseOfPython() async throws {
        let facts = try facts()
        let lines = try JSONDecoder().decode(
            [Golden].self, from: Data(contentsOf: URL(fileURLWithPath: "\(cases ?? "")/lines.json")))
        #expect(lines.count >= 8)
        for golden in lines {
            let network = Network(golden, facts)
            let read = try await LineReader(reader: network).read(golden.drawing)
            #expect(read.map(\.text).joined(separator: "\n") == golden.bigrams.text, "\(golden.name)")
            #expect(await network.apart <= 1, "\(golden.name)")
            let characters = read.flatMap(\.characters)
            #expect(read.allSatisfy { $0.isDown == golden.down } && characters.count == golden.bigrams.boxes.count)
            for (one, (box, confidence)) in zip(characters, zip(golden.bigrams.boxes, golden.bigrams.confidence)) {
                let apart = zip([one.left, one.top, one.right, one.bottom], box).map { abs($0 - $1) }.max() ?? 1
                #expect(apart < 0.06 && abs(one.confidence - confidence) < 1e-3, "\(golden.name): \(one)")
                #expect(one.alternatives.contains { $0.label == one.label })
            }
            let plainly = try await LineReader(reader: Network(golden, facts))
                .read(golden.drawing, down: golden.down, plain: true)
            #expect(plainly.map(\.text).joined(separator: "\n") == golden.plain.text, "\(golden.name)")
            let strokes = characters.flatMap(\.strokes).sorted()
            let written = golden.drawing.strokes.indices.dropLast(golden.name == "underlined" ? 1 : 0)
            #expect(strokes == Array(written), "\(golden.name)")
        }
    }

    @Test func theDirectionCanBeGiven() async throws {
        struct Even: CharacterReading {
            let known: ModelFacts
            func facts() -> ModelFacts { known }
            func probabilities(of picture: Picture) -> [String: Double] {
                Dictionary(uniqueKeysWithValues: known.labels.map { ($0, 1 / Double(known.labels.count)) })
            }
        }
        let strokes = [10.0, 40].map { x in Stroke([InkPoint(x: x, y: 10), InkPoint(x: x + 20, y: 30)]) }
        let (drawing, reader) = (try Drawing(width: 70, height: 40, strokes: strokes), Even(known: try facts()))
        for down in [false, true] {
            let lines = try await LineReader(reader: reader).read(drawing, down: down)
            #expect(!lines.isEmpty && lines.allSatisfy { $0.isDown == down })
        }
    }

    @Test func linesInReadingOrder() {
        let grid = (0..<15).map { k -> InkBox in
            let (x, y) = (Double(k % 5) * 12, Double(k / 5) * 18)
            return InkBox(x, y, x + 10, y + 10)
        }
        #expect(!LineLayout.runsDown(grid))
        #expect(LineLayout.lineMembers(grid).map { $0.sorted() } == [Array(0..<5), Array(5..<10), Array(10..<15)])
        #expect(grid.allSatisfy { $0.turned.unturned == $0 })
        #expect(LineLayout.lineMembers([InkBox(2, 0, 8, 2), InkBox(0, 8, 10, 10)]).count == 1)
    }

    @Test func anotherNetworkIsRefusedAndNoInkIsNoLine() async throws {
        struct Other: CharacterReading {
            func facts() throws -> ModelFacts {
                try ModelFacts(labels: ["あ", "no character"], noCharacter: "no character", threshold: 0.5)
            }
            func probabilities(of picture: Picture) -> [String: Double] { [:] }
        }
        let reader = LineReader(reader: Other())
        let stroke = Stroke([InkPoint(x: 1, y: 1)])
        await #expect(throws: LineError.otherLabels(expected: 6625, found: 1)) {
            _ = try await reader.read(try Drawing(width: 3, height: 1, strokes: [stroke]))
        }
        #expect(try await reader.read(try Drawing(width: 3, height: 1, strokes: [Stroke()])).isEmpty)
    }
}
