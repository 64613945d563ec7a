import KanaInk
import KanaReading
import Observation
import Testing

@testable import KanaApp

/// A stand-in for the model: answers each picture with the label it is told to, when it is let go.
actor Model: CharacterReading {
    private var label = "あ"
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var isHeld = false
    private(set) var asked = 0
    private var trouble: VerdictError?

    func facts() throws -> ModelFacts {
        try ModelFacts(labels: ["あ", "い", "no character"], noCharacter: "no character", threshold: 0.5)
    }

    func answer(_ label: String) { self.label = label }
    func fail() { trouble = .noProbability }
    func hold() { isHeld = true }

    func letGo() {
        isHeld = false
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    func probabilities(of picture: Picture) async throws -> [String: Double] {
        asked += 1
        let answer = label
        if isHeld { await withCheckedContinuation { waiting.append($0) } }
        if let trouble { throw trouble }
        return ["あ": answer == "あ" ? 1 : 0, "い": answer == "い" ? 1 : 0, "no character": answer == "" ? 1 : 0]
    }
}

/// A clock that a test turns: sleeping moves it on.
@MainActor final class Hands {
    var now = 0
    var today = 1
    var clock: Clock {
        Clock(
            now: { self.now }, today: { self.today },
            sleep: { wait in
                try Task.checkCancellation()  // as of a clock: who was cancelled before does not wait
                await MainActor.run { self.now += wait }
                try Task.checkCancellation()
            })
    }
}

@MainActor private func made(_ model: Model, _ hands: Hands = Hands()) -> LiveReader {
    let reader = LiveReader(reader: model, clock: hands.clock)
    reader.resize(width: 300, height: 300)
    return reader
}

@MainActor func draw(_ reader: LiveReader) {
    reader.begin(InkPoint(x: 50, y: 50))
    reader.extend([InkPoint(x: 250, y: 60)])
    reader.end()
}

private final class Flag: @unchecked Sendable {
    var isRaised = false
}

@Suite @MainActor struct LiveReaderTests {
    @Test func aStrokeIsReadAfterTheDelay() async {
        let model = Model()
        let clock = Hands()
        let reader = made(model, clock)
        draw(reader)
        #expect(reader.verdict == nil)
        await reader.reading?.value
        #expect(reader.verdict?.character == "あ" && clock.now == LiveReader.delayMilliseconds)
    }

    @Test func anotherStrokeBeforeTheDelayReadsOnce() async {
        let model = Model()
        let reader = made(model)
        draw(reader)
        let first = reader.reading
        draw(reader)
        await first?.value
        await reader.reading?.value
        #expect(await model.asked == 1)
        #expect(reader.verdict?.character == "あ")
    }

    @Test func aStaleAnswerIsDropped() async {
        let model = Model()
        let reader = made(model)
        await model.hold()
        draw(reader)
        let first = reader.reading
        while await model.asked == 0 { await Task.yield() }
        await model.answer("い")
        draw(reader)
        let second = reader.reading
        await model.letGo()
        await first?.value
        await second?.value
        #expect(reader.verdict?.character == "い")
    }

    @Test func anAnswerWhileThePenIsDownIsDropped() async {
        let model = Model()
        let reader = made(model)
        await model.hold()
        draw(reader)
        let first = reader.reading
        while await model.asked == 0 { await Task.yield() }
        reader.begin(InkPoint(x: 1, y: 1))
        await model.letGo()
        await first?.value
        #expect(reader.verdict == nil)
    }

    @Test func clearingTellsNothingAndAsksNothing() async {
        let model = Model()
        let reader = made(model)
        draw(reader)
        reader.clear()
        await reader.reading?.value
        #expect(reader.verdict == .nothing)
        #expect(await model.asked == 0)
        reader.undo()
        await reader.reading?.value
        #expect(reader.verdict?.character == "あ")
    }

    @Test func aFailureIsToldAndForgottenWithTheInk() async {
        let model = Model()
        let reader = made(model)
        await model.fail()
        draw(reader)
        await reader.reading?.value
        #expect(reader.verdict == nil && reader.failure?.contains("probabilities of 0 to 1") == true)
        reader.clear()
        #expect(reader.failure == nil)
    }

    @Test func readingNowDoesNotWait() async {
        let model = Model()
        let clock = Hands()
        let reader = made(model, clock)
        draw(reader)
        #expect(await reader.readNow()?.character == "あ")
        #expect(clock.now == 0)
    }

    @Test func aCanvasWithoutSizeIsNotRead() async {
        let model = Model()
        let reader = LiveReader(reader: model, clock: Hands().clock)
        reader.resize(width: 0, height: 300)
        draw(reader)
        await reader.reading?.value
        #expect(reader.verdict == nil && reader.drawing == nil)
        #expect(await model.asked == 0)
    }

    /// SwiftUI draws the canvas anew when what its body read of the strokes changes: along the path of each button.
    @Test func everyChangeOfTheInkRepaintsTheCanvas() throws {
        let reader = made(Model())
        func strokes(after change: () -> Void) -> Int? {
            let isSeen = Flag()
            withObservationTracking {
                _ = reader.editor.strokes
            } onChange: {
                isSeen.isRaised = true
            }
            change()
            return isSeen.isRaised ? reader.editor.strokes.count : nil
        }
        #expect(strokes { draw(reader) } == 1)
        #expect(strokes { draw(reader) } == 2)
        #expect(strokes { reader.undo() } == 1)
        #expect(strokes { reader.redo() } == 2)
        #expect(strokes { reader.clear() } == 0)
        #expect(strokes { reader.undo() } == 2)
        #expect(strokes { reader.resize(width: 200, height: 200) } == 2)
        let drawing = try #require(reader.drawing)
        #expect(strokes { reader.reset() } == 0)
        #expect(strokes { reader.restore(drawing) } == 2)
    }

    @Test func aPointMoreDisturbsNoScreen() {
        let reader = made(Model())
        reader.begin(InkPoint(x: 1, y: 1))
        let isSeen = Flag()
        withObservationTracking {
            _ = (reader.editor, reader.verdict)
        } onChange: {
            isSeen.isRaised = true
        }
        reader.extend([InkPoint(x: 2, y: 2)])
        #expect(!isSeen.isRaised && reader.current?.count == 2)
    }

    @Test func practiceTellsNothingBeforeItIsChecked() async {
        let reader = LiveReader(reader: Model(), clock: Hands().clock, isLive: false)
        reader.resize(width: 300, height: 300)
        draw(reader)
        #expect(reader.reading == nil)
        #expect(await reader.readNow()?.character == "あ")
        #expect(reader.verdict == nil)
    }

    @Test func theFullCanvasStillReads() async {
        let model = Model()
        let reader = made(model)
        reader.begin(InkPoint(x: 0, y: 0))
        reader.extend((0..<Drawing.maxPoints).map { InkPoint(x: Double($0 % 2) + 1, y: 0) })
        reader.end()
        await reader.reading?.value
        reader.begin(InkPoint(x: 5, y: 5))
        reader.end()
        await reader.reading?.value
        #expect(reader.verdict?.character == "あ")
    }
}
