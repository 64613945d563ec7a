import Foundation
import KanaInk
import KanaReading
import Testing

@testable import KanaApp

func table() -> PracticeTable {
    PracticeTable(
        kana: zip("あいうか", [0, 0, 0, 1]).map { character, row in
            Kana(
                character: String(character), script: .hiragana, sound: "\(character)", row: row,
                strokes: [[InkPoint(x: 0.1, y: 0.5), InkPoint(x: 0.9, y: 0.5)]])
        })
}

private func settings(rows: Set<Int> = [0], mode: PracticeMode = .sound, newPerDay: Int = 10) -> AppSettings {
    var settings = AppSettings()
    (settings.rows, settings.mode, settings.newPerDay) = (rows, mode, newPerDay)
    return settings
}

private func read(_ label: String) -> Verdict { .read([Answer(label: label, probability: 1)]) }

@Suite struct SessionTests {
    private var session = PracticeSession(table: table())
    private var deck = Deck()

    init() { session.next(settings(), deck: deck, today: 1, now: 0) }

    private mutating func write(_ label: String, _ drawing: Drawing? = nil, now: Int = 0) {
        session.attempt(read(label), drawing: drawing, deck: &deck, today: 1, now: now)
    }

    private mutating func next(_ settings: AppSettings = settings(), today: Int = 1, anyway: Bool = false) -> String? {
        session.next(settings, deck: deck, today: today, now: 0, anyway: anyway)
        return session.task?.character
    }

    @Test mutating func fromOneToTheNext() throws {
        for character in ["あ", "い", "う"] {
            #expect(session.task?.character == character)
            write(character)
            #expect(session.task?.outcome == .right)
            _ = next()
        }
        #expect(session.task == nil && deck.dueCount(of: ["あ", "い", "う"], today: 1) == 0)
        #expect(next(anyway: true) == "あ")
        #expect(next(today: 2) != nil && deck.dueCount(of: ["あ", "い", "う"], today: 2) == 3)
    }

    @Test mutating func whatWasMissedComesBackAfterTwoOthers() throws {
        var asked: [String] = []
        for _ in 0..<4 {
            let character = try #require(session.task).character
            asked.append(character)
            for _ in 0..<2 { write(character == "あ" ? "い" : character) }
            _ = next()
        }
        #expect(asked == ["あ", "い", "う", "あ"])
    }

    @Test mutating func theDeckLearnsOnce() {
        write("い")
        #expect(deck.cards.isEmpty)
        write("あ")
        write("い")
        session.give(deck: &deck, today: 1, now: 0)
        #expect(deck.cards["あ"] == Card(box: 1, due: 1, right: 0, missed: 1, first: 1))
    }

    @Test mutating func whatWasWrittenStaysBesideTheModelWithAdviceIfItIsRight() throws {
        let turned = try Drawing(
            width: 10, height: 10, strokes: [Stroke([InkPoint(x: 9, y: 5), InkPoint(x: 1, y: 5)])])
        write("い", turned)
        #expect(session.advice.isEmpty && session.attemptedDrawing == turned)
        write("あ", turned)
        #expect(session.advice == [.direction(stroke: 1)])
        _ = next()
        #expect(session.attemptedDrawing == nil)
    }

    @Test mutating func aTapRightAfterTheScreenChangedDoesNotCount() {
        #expect(!session.allowsTap(at: 100) && session.allowsTap(at: 600))
        write("あ", now: 1_000)
        #expect(!session.allowsTap(at: 1_200) && session.allowsTap(at: 1_600))
    }

    @Test mutating func whatIsSkippedIsNoMissAndComesAnotherDay() {
        session.skip(settings(), deck: deck, today: 1, now: 0)
        #expect(session.task?.character == "い" && deck.cards.isEmpty)
        for _ in 0..<2 { session.skip(settings(), deck: deck, today: 1, now: 0) }
        #expect(session.task == nil)
        #expect(next(anyway: true) == "あ")
        #expect(next(today: 2) == "い")
    }

    @Test func whatIsSkippedAfterALaunchComesAnotherDay() {
        var session = PracticeSession(table: table())
        session.ask("あ", settings(), now: 0)
        for _ in 0..<3 { session.skip(settings(), deck: deck, today: 1, now: 0) }
        #expect(session.task == nil)
    }

    @Test mutating func newOnesAreSoManyADayAndOfTheChosenRows() {
        #expect(next(settings(rows: [1])) == "か")
        write("か")
        #expect(next(settings(rows: [1])) == nil)
        #expect(next(settings(rows: [], newPerDay: 1)) == nil)
        #expect(next(settings(rows: [], newPerDay: 1), today: 2) == "あ")
    }

    @Test mutating func changedSettingsAreNoticed() {
        #expect(!session.isOutdated(by: settings()))
        #expect(session.isOutdated(by: settings(mode: .trace)) && session.isOutdated(by: settings(rows: [1])))
        write("あ")
        #expect(!session.isOutdated(by: settings(mode: .trace)))
    }
}

@Suite struct StrokeOrderTests {
    @Test func oneAfterTheOther() {
        let strokes = [
            [InkPoint(x: 0, y: 0), InkPoint(x: 0.6, y: 0)], [InkPoint(x: 0, y: 1), InkPoint(x: 0.6, y: 1)],
        ]
        #expect(StrokeOrder.written(strokes, after: 0).isEmpty)
        #expect(StrokeOrder.written(strokes, after: 0.25) == [[InkPoint(x: 0, y: 0), InkPoint(x: 0.3, y: 0)]])
        #expect(StrokeOrder.written(strokes, after: 0.7).count == 1)
        #expect(StrokeOrder.written(strokes, after: StrokeOrder.duration(strokes)) == strokes)
        #expect(abs(StrokeOrder.duration(strokes) - 1.6) < 1e-9)
    }
}

private struct Fixed: CharacterReading {
    let probabilities: [String: Double]
    let failure: VerdictError?

    func facts() throws -> ModelFacts {
        try ModelFacts(labels: ["あ", "い", "no character"], noCharacter: "no character", threshold: 0.5)
    }

    func probabilities(of picture: Picture) throws -> [String: Double] {
        if let failure { throw failure }
        return probabilities
    }
}

@Suite struct DeviceCheckTests {
    @Test func rightApartAndFailed() async throws {
        let first = Fixed(probabilities: ["あ": 0.9, "い": 0.1, "no character": 0], failure: nil)
        let second = Fixed(probabilities: ["あ": 0.75, "い": 0.25, "no character": 0], failure: nil)
        let broken = Fixed(probabilities: [:], failure: .noProbability)
        let kana = table().kana
        let rows = await DeviceCheck.run(
            [("CPU", first), ("GPU", second), ("none", broken)], kana: kana, milliseconds: { 0 })
        #expect(rows.map(\.askedCount) == [2, 2, 0] && rows.map(\.rightCount) == [1, 1, 0])
        #expect(rows[0].maxDifference == 0 && abs(rows[1].maxDifference - 0.15) < 1e-12)
        #expect(rows[1].text == "GPU: 1 of 2 right, 0.00 ms, 0.1500 apart")
        #expect(rows[2].text == "none: \(VerdictError.noProbability)")
    }
}
