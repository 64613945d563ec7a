import Foundation
import KanaInk
import Testing

@testable import KanaReading

private func table() throws -> PracticeTable {
    let kana = zip("あいうア", ["a", "i", "u", "a"]).map { character, sound in
        let script = character == "ア" ? "katakana" : "hiragana"
        return
            #"{"character":"\#(character)","script":"\#(script)","sound":"\#(sound)","word":"","strokes":[[1,5,9,5]]}"#
    }
    let text = #"{"source":"S","license":"L","box":10,"kana":[\#(kana.joined(separator: ","))]}"#
    return try PracticeTable(json: Data(text.utf8))
}

private func read(_ label: String) -> Verdict { .read([Answer(label: label, probability: 1)]) }

@Suite struct SessionTests {
    private func begun() throws -> PracticeSession {
        var session = PracticeSession(table: try table(), deck: Deck())
        session.next(script: .hiragana, mode: .sound, today: 1, now: 0)
        return session
    }

    @Test func fromOneToTheNext() throws {
        var session = try begun()
        var asked: [String] = []
        for k in 0..<3 {
            asked.append(try #require(session.task).character)
            session.attempt(read(asked[k]), drawing: nil, today: 1, now: 0)
            #expect(session.task?.outcome == .right)
            session.next(script: .hiragana, mode: .sound, today: 1, now: 0)
        }
        #expect(asked == ["あ", "い", "う"] && session.task == nil && session.dueCount(script: .hiragana, today: 1) == 0)
        session.next(script: .hiragana, mode: .sound, today: 1, now: 0, anyway: true)
        #expect(session.task?.character == "あ")
        session.next(script: .hiragana, mode: .sound, today: 2, now: 0)
        #expect(session.task != nil && session.dueCount(script: .hiragana, today: 2) == 3)
    }

    @Test func whatWasMissedComesBackAfterTwoOthers() throws {
        var session = try begun()
        var asked: [String] = []
        for _ in 0..<4 {
            let character = try #require(session.task).character
            asked.append(character)
            for _ in 0..<2 { session.attempt(read(character == "あ" ? "い" : character), drawing: nil, today: 1, now: 0) }
            session.next(script: .hiragana, mode: .sound, today: 1, now: 0)
        }
        #expect(asked == ["あ", "い", "う", "あ"])
    }

    @Test func theDeckLearnsOnce() throws {
        var session = try begun()
        session.attempt(read("い"), drawing: nil, today: 1, now: 0)
        #expect(session.deck.cards.isEmpty)
        session.attempt(read("あ"), drawing: nil, today: 1, now: 0)
        session.attempt(read("い"), drawing: nil, today: 1, now: 0)
        session.give(today: 1, now: 0)
        #expect(session.deck.cards["あ"] == Card(box: 1, due: 1, right: 0, missed: 1))
    }

    @Test func adviceOnTheStrokesOfARightCharacterOnly() throws {
        var session = try begun()
        let turned = try Drawing(
            width: 10, height: 10, strokes: [Stroke([InkPoint(x: 9, y: 5), InkPoint(x: 1, y: 5)])])
        session.attempt(read("い"), drawing: turned, today: 1, now: 0)
        #expect(session.advice.isEmpty)
        session.attempt(read("あ"), drawing: turned, today: 1, now: 0)
        #expect(session.advice == [.direction(stroke: 1)])
    }

    @Test func aTapRightAfterTheScreenChangedDoesNotCount() throws {
        var session = try begun()
        #expect(!session.allowsTap(at: 100) && session.allowsTap(at: 600))
        session.attempt(read("あ"), drawing: nil, today: 1, now: 1_000)
        #expect(!session.allowsTap(at: 1_200) && session.allowsTap(at: 1_600))
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
        let kana = try table().kana
        let rows = await DeviceCheck.run(
            [("CPU", first), ("GPU", second), ("none", broken)], kana: kana, milliseconds: { 0 })
        #expect(rows.map(\.asked) == [2, 2, 0] && rows.map(\.right) == [1, 1, 0])
        #expect(rows[0].apart == 0 && abs(rows[1].apart - 0.15) < 1e-12)
        #expect(rows[1].wording == .phrase(.checkRow, "GPU", "1", "2", "0.00", "0.1500"))
        #expect(rows[2].wording == .phrase(.checkFailed, "none", "noProbability"))
    }

    @Test func numbersWithTheirPlaces() {
        #expect(DeviceCheck.decimal(3.14159, 2) == "3.14" && DeviceCheck.decimal(0.00049, 4) == "0.0005")
        #expect(DeviceCheck.decimal(12, 2) == "12.00" && DeviceCheck.decimal(0.999, 2) == "1.00")
    }
}

@Suite struct WordingTextTests {
    @Test func placesAreFilledInAnyOrderAndOnce() {
        let missed = Wording.phrase(.missed, "%2$@", "ぬ")
        #expect(missed.text { _ in "%2$@ is the answer, not %1$@: 100 %" } == "ぬ is the answer, not %2$@: 100 %")
        #expect(missed.text(\.rawValue) == "I read %2$@. The answer is ぬ; it will come back.")
        #expect(Wording.phrase(.undo).text { _ in "取り消す %1$@" } == "取り消す %1$@")
        #expect(Answer(label: "ぬ", probability: 0.6).wording.text(\.rawValue) == "ぬ, likely")
    }
}
