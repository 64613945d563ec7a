import KanaInk
import Testing

@testable import KanaReading

/// A stand-in for the model: answers each picture with the label it is told to, when it is let go.
private actor Model: CharacterReading {
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
@MainActor private final class Clock {
    var now = 0
}

@MainActor private func made(_ model: Model, _ clock: Clock) -> LiveReader {
    let reader = LiveReader(
        reader: model, now: { clock.now },
        sleep: { wait in
            await MainActor.run { clock.now += wait }
            try Task.checkCancellation()
        })
    reader.resize(width: 300, height: 300)
    return reader
}

@MainActor private func draw(_ reader: LiveReader) {
    reader.begin(InkPoint(x: 50, y: 50))
    reader.extend([InkPoint(x: 250, y: 60)])
    reader.end()
}

@Suite @MainActor struct LiveReaderTests {
    @Test func aStrokeIsReadAfterTheDelay() async {
        let model = Model()
        let clock = Clock()
        let reader = made(model, clock)
        draw(reader)
        #expect(reader.verdict == nil)
        await reader.reading?.value
        #expect(reader.verdict?.character == "あ" && clock.now == ReadingSchedule.delay)
    }

    @Test func anotherStrokeBeforeTheDelayReadsOnce() async {
        let model = Model()
        let reader = made(model, Clock())
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
        let reader = made(model, Clock())
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
        let reader = made(model, Clock())
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
        let reader = made(model, Clock())
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
        let reader = made(model, Clock())
        await model.fail()
        draw(reader)
        await reader.reading?.value
        #expect(reader.verdict == nil && reader.failure?.contains("noProbability") == true)
        reader.clear()
        #expect(reader.failure == nil)
    }

    @Test func readingNowDoesNotWait() async {
        let model = Model()
        let clock = Clock()
        let reader = made(model, clock)
        draw(reader)
        #expect(await reader.readNow()?.character == "あ")
        #expect(clock.now == 0)
    }

    @Test func aCanvasWithoutSizeIsNotRead() async {
        let model = Model()
        let clock = Clock()
        let reader = LiveReader(reader: model, now: { clock.now }, sleep: { _ in })
        reader.resize(width: 0, height: 300)
        draw(reader)
        await reader.reading?.value
        #expect(reader.verdict == nil && reader.drawing == nil)
        #expect(await model.asked == 0)
    }

    @Test func theFullCanvasStillReads() async {
        let model = Model()
        let reader = made(model, Clock())
        reader.begin(InkPoint(x: 0, y: 0))
        reader.extend((0..<Drawing.mostPoints).map { InkPoint(x: Double($0 % 2) + 1, y: 0) })
        reader.end()
        await reader.reading?.value
        reader.begin(InkPoint(x: 5, y: 5))
        reader.end()
        await reader.reading?.value
        #expect(reader.verdict?.character == "あ")
    }
}

@Suite struct ScheduleTests {
    @Test func nothingIsDueWhileThePenIsDown() {
        var schedule = ReadingSchedule()
        schedule.start(at: 0)
        #expect(schedule.wait(at: 100) == 50 && schedule.take(at: 100) == nil)
        schedule.stop()
        #expect(schedule.wait(at: 500) == nil && schedule.take(at: 500) == nil)
        schedule.start(at: 600)
        #expect(schedule.take(at: 750) == schedule.revision && schedule.take(at: 751) == nil)
    }

    @Test func onlyTheLastRevisionCounts() {
        var schedule = ReadingSchedule()
        schedule.start(at: 0)
        let first = schedule.revision
        schedule.start(at: 10)
        #expect(!schedule.accepts(first) && schedule.accepts(schedule.revision))
    }
}
