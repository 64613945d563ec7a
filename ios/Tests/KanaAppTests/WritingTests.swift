import Foundation
import KanaInk
import KanaReading
import Testing

@testable import KanaApp

/// Reads every picture as ー.
private struct Stripes: CharacterReading {
    private static let file = URL(fileURLWithPath: #filePath)
        .appendingPathComponent("../../../../export/pretrained/japanese/labels.json").standardized

    func facts() throws -> ModelFacts { try ModelFacts(labelsJSON: Data(contentsOf: Self.file)) }
    func probabilities(of picture: Picture) -> [String: Double] { ["ー": 0.99, "no character": 0.01] }
}

@Suite @MainActor struct WritingTests {
    private let folder = temporary("words")

    private func launch() -> WindowModel {
        AppModel(folder: folder, reader: Stripes(), table: table(), clock: Hands().clock).open()
    }

    /// A stroke across, so many heights from the left.
    private func write(_ ink: LiveReader, at place: Double) async {
        let high = ink.canvas.height
        ink.begin(InkPoint(x: high * place, y: high / 2))
        ink.extend((1...8).map { InkPoint(x: high * (place + 0.06 * Double($0)), y: high / 2) })
        ink.end()
        await ink.reading?.value
    }

    @Test func theTextGrowsAndIsPutRightAndComesBack() async throws {
        let window = launch()
        let (writing, ink) = (window.writing, window.writing.ink)
        ink.resize(width: 300, height: 100)
        for place in [0.2, 1.2, 2.2] { await write(ink, at: place) }
        #expect(writing.text == "ーーー" && ink.verdict?.character == "ーーー" && writing.width == 4)
        #expect(writing.characters.map(\.strokes) == [[0], [1], [2]])
        let last = try #require(writing.characters.last)
        let other = try #require(last.alternatives.map(\.label).first { $0 != last.label })
        writing.choose(other, for: last)
        #expect(writing.text == "ーー" + other && writing.isSure(last))
        ink.undo()
        await ink.reading?.value
        #expect(writing.text == "ーー")
        ink.redo()
        await ink.reading?.value
        #expect(writing.text == "ーー" + other)
        ink.resize(width: 400, height: 100)
        #expect(ink.editor.strokes[0].x[0] == 20)
        ink.resize(width: 800, height: 200)
        #expect(ink.editor.strokes[0].x[0] == 40 && writing.width == 4)

        let again = launch()
        await again.writing.ink.reading?.value
        #expect(again.writing.text == "ーー" + other && abs(again.writing.ink.pen - 0.035 / 3) < 1e-12)
        await again.takeWriting()
        #expect(again.text == "ーー" + other && again.writing.text.isEmpty && again.writing.ink.editor.isEmpty)
        await write(again.writing.ink, at: 0.2)
        #expect(again.writing.text.count == 1 && launch().text == "ーー" + other)
    }

    @Test func strokesThatAreNotReadYetAreTakenToo() async {
        let window = launch()
        window.writing.ink.resize(width: 300, height: 100)
        await write(window.writing.ink, at: 0.2)
        window.writing.ink.begin(InkPoint(x: 120, y: 50))
        window.writing.ink.extend((1...8).map { InkPoint(x: 120 + 6 * Double($0), y: 50) })
        window.writing.ink.end()
        await window.takeWriting()
        #expect(window.text == "ーー" && window.writing.ink.editor.isEmpty)
    }

    @Test func anotherNetworksLinesAreAFailureInWords() async {
        let app = AppModel(folder: folder, reader: Model(), table: table(), clock: Hands().clock)
        let ink = app.open().writing.ink
        ink.resize(width: 300, height: 100)
        await write(ink, at: 0.2)
        #expect(ink.verdict == nil && ink.failure?.contains("the bundled network") == true)
    }
}
