import Foundation
import KanaInk
import KanaReading
import Testing

@testable import KanaApp

private func read(_ label: String) -> Verdict { .read([Answer(label: label, probability: 1)]) }
private let nu = Kana(character: "ぬ", script: .hiragana, sound: "nu")

@Suite struct PracticeTests {
    @Test func theAnswerAfterTwoMisses() {
        var task = PracticeTask(kana: nu, mode: .sound)
        #expect(!task.showsCharacter)
        #expect(task.attempt(read("め")) == .wrong(read: "め"))
        #expect(!task.isFinished && !task.showsCharacter)
        #expect(task.attempt(read("ね")) == .missed(read: "ね"))
        #expect(task.isFinished && task.showsCharacter)
        #expect(task.attempt(read("ぬ")) == .missed(read: "ね"))
    }

    @Test func whatCannotBeReadIsNoMiss() {
        var task = PracticeTask(kana: nu, mode: .blank)
        for _ in 0..<5 {
            #expect(task.attempt(.unsure([Answer(label: "め", probability: 0.3)])) == .unreadable)
            #expect(task.attempt(.nothing) == .nothing)
        }
        #expect(task.misses == 0)
        #expect(task.attempt(read("ぬ")) == .right && task.isFinished)
    }

    @Test func theAskedCharacterIsBelievedWithLess() {
        var task = PracticeTask(kana: nu, mode: .blank)
        #expect(task.attempt(.unsure([Answer(label: "ぬ", probability: 0.3)])) == .right)
        var empty = PracticeTask(kana: nu, mode: .blank)
        #expect(empty.attempt(.unsure([])) == .unreadable)
    }

    @Test func theAnswerOnRequest() {
        var task = PracticeTask(kana: nu, mode: .sound)
        task.give()
        #expect(task.outcome == .given && task.misses == 2 && task.showsCharacter)
    }

    @Test func sizeIsNoMissAndShapesCountAsOne() {
        var small = PracticeTask(
            kana: Kana(character: "っ", script: .hiragana, sound: "small tsu", word: "きって"), mode: .sound)
        #expect(small.attempt(read("つ")) == .otherSize(read: "つ"))
        #expect(small.misses == 0 && !small.isFinished)
        var again = small
        #expect(small.attempt(read("っ")) == .right)
        #expect(again.attempt(read("つ")) == .right && again.misses == 0)
        var he = PracticeTask(kana: Kana(character: "ヘ", script: .katakana, sound: "he"), mode: .sound)
        #expect(he.attempt(read("へ")) == .right)
    }

    @Test func aWordIsShownWithKnownKanaOnly() {
        let small = Kana(character: "っ", script: .hiragana, sound: "small tsu", word: "きって")
        #expect(small.gap { _ in true } == "き◯て" && small.gap { $0 == "き" } == nil && nu.gap { _ in true } == nil)
    }
}

@Suite struct LeitnerTests {
    @Test func boxesAndDays() {
        var deck = Deck()
        for (day, due) in [(100, 101), (101, 104), (104, 111), (111, 132), (132, 153)] {
            deck.record("ぬ", misses: 0, today: day)
            #expect(deck.cards["ぬ"]?.due == due)
        }
        #expect(deck.cards["ぬ"]?.box == 5)
        deck.record("ぬ", misses: 1, today: 153)
        #expect(deck.cards["ぬ"] == Card(box: 5, due: 174, right: 5, missed: 1, first: 100))
        deck.record("ぬ", misses: 2, today: 153)
        #expect(deck.cards["ぬ"] == Card(box: 1, due: 153, right: 5, missed: 2, first: 100))
    }

    @Test func whatWasMissedComesBackButNotAtOnce() {
        var deck = Deck()
        let order = ["あ", "い", "う"]
        #expect(deck.next(of: order, today: 5) == "あ")
        deck.record("あ", misses: 2, today: 5)
        #expect(deck.next(of: order, today: 5, recent: ["あ"]) == "い")
        deck.record("い", misses: 0, today: 5)
        #expect(deck.next(of: order, today: 5, recent: ["い"]) == "あ")
        deck.record("あ", misses: 0, today: 5)
        deck.record("う", misses: 0, today: 5)
        #expect(deck.next(of: order, today: 5) == nil && deck.dueCount(of: order, today: 5) == 0)
        #expect(deck.next(of: order, today: 6) == "あ" && deck.dueCount(of: order, today: 6) == 3)
    }

    @Test func theLastOneLeftIsAskedAgain() {
        var deck = Deck()
        deck.record("あ", misses: 2, today: 1)
        #expect(deck.next(of: ["あ"], today: 1, recent: ["あ"]) == "あ")
    }

    @Test func aDayBeginsAtMidnightWhereTheUserIs() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 9 * 3600))
        #expect(Deck.day(of: Date(timeIntervalSince1970: 14 * 3600), in: calendar) == 0)
        #expect(Deck.day(of: Date(timeIntervalSince1970: 15 * 3600), in: calendar) == 1)
    }

    @Test func theDeckIsKept() throws {
        var deck = Deck()
        deck.record("ん", misses: 0, today: 3)
        #expect(try JSONDecoder().decode(Deck.self, from: JSONEncoder().encode(deck)) == deck)
    }
}

@Suite struct StrokeAdviceTests {
    private func drawing(_ strokes: [[(Double, Double)]]) throws -> Drawing {
        try Drawing(width: 200, height: 200, strokes: strokes.map { Stroke($0.map { InkPoint(x: $0.0, y: $0.1) }) })
    }
    private let two = [
        [InkPoint(x: 0.1, y: 0.3), InkPoint(x: 0.9, y: 0.3)], [InkPoint(x: 0.1, y: 0.7), InkPoint(x: 0.9, y: 0.7)],
    ]

    @Test func asUsual() throws {
        let drawn = try drawing([[(20, 20), (180, 25)], [(25, 120), (175, 118)]])
        #expect(StrokeAdvice.advice(on: drawn, usual: two) == [])
    }

    @Test func orderDirectionAndCount() throws {
        let swapped = try drawing([[(20, 120), (180, 120)], [(20, 20), (180, 20)]])
        #expect(
            StrokeAdvice.advice(on: swapped, usual: two) == [.order(drawn: 1, usual: 2), .order(drawn: 2, usual: 1)])
        let turned = try drawing([[(180, 20), (20, 20)], [(20, 120), (180, 120)]])
        #expect(StrokeAdvice.advice(on: turned, usual: two) == [.direction(stroke: 1)])
        let one = try drawing([[(20, 20), (180, 20)]])
        #expect(StrokeAdvice.advice(on: one, usual: two) == [.count(drawn: 1, usual: 2)])
        #expect(StrokeAdvice.advice(on: try drawing([]), usual: two) == [.count(drawn: 0, usual: 2)])
    }

    @Test func theCheapestOrder() {
        #expect(StrokeAdvice.cheapest([[5, 1, 9], [1, 5, 9], [9, 9, 0]]) == [1, 0, 2])
        #expect(StrokeAdvice.cheapest([[1, 1], [1, 1]]) == [0, 1])
    }
}

@Suite struct PracticeTableTests {
    private let text = """
        {"source": "S", "license": "L", "box": 1000, "kana": [
        {"character": "っ", "script": "hiragana", "sound": "small tsu", "word": "きって", "romaji": "kitte", "meaning": "stamp", "row": 16, "column": 1,
         "strokes": [[100, 200, 300, 400]]},
        {"character": "ア", "script": "katakana", "sound": "a", "word": "", "romaji": "", "meaning": "", "row": 0, "column": 0, "strokes": []}]}
        """

    @Test func theFileIsRead() throws {
        let table = try PracticeTable(json: Data(text.utf8))
        #expect(table.characters(of: .hiragana) == ["っ"] && table.characters(of: .kana) == ["っ", "ア"])
        #expect(table.kana("っ")?.strokes == [[InkPoint(x: 0.1, y: 0.2), InkPoint(x: 0.3, y: 0.4)]])
        #expect(table.kana("っ")?.romaji == "kitte" && table.kana("っ")?.meaning == "stamp" && table.kana("x") == nil)
        #expect(table.characters(of: .kana, rows: [16]) == ["っ"] && table.rows(of: .katakana).map(\.id) == ["ア"])
        #expect(table.attribution == "S, L")
    }

    @Test func damageIsRefused() {
        for (old, new) in [("[[100, 200, 300, 400]]", "[[100, 200, 300]]"), ("1000", "0"), ("ア", "っ")] {
            let damaged = text.replacingOccurrences(of: old, with: new)
            #expect(throws: PracticeTableError.damaged) { try PracticeTable(json: Data(damaged.utf8)) }
        }
    }
}
