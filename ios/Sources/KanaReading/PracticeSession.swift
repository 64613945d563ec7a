import KanaInk

/// Practice from one character to the next. Times are milliseconds of a clock that only goes forward, days as
/// `Deck.day` counts.
public struct PracticeSession: Sendable {
    public let table: PracticeTable
    public private(set) var deck: Deck
    /// The character being practised; nil where nothing is due.
    public private(set) var task: PracticeTask?
    /// What could be said of the strokes of the last attempt.
    public private(set) var advice: [StrokeAdvice] = []
    private var tap = TapGuard()

    public init(table: PracticeTable, deck: Deck) {
        self.table = table
        self.deck = deck
    }

    /// Ask the next character of a script. With `anyway` one is asked although nothing is due: the one that would be
    /// due first.
    public mutating func next(script: Script, mode: PracticeMode, today: Int, now: Int, anyway: Bool = false) {
        let order = table.characters(of: script)
        var character = deck.next(of: order, today: today, after: task?.character)
        if character == nil, anyway {
            character = order.filter { $0 != task?.character }.min {
                (deck.cards[$0]?.due ?? 0) < (deck.cards[$1]?.due ?? 0)
            }
        }
        task = character.flatMap { table.kana($0) }.map { PracticeTask(kana: $0, mode: mode) }
        advice = []
        tap.appear(at: now)
    }

    /// How many characters of a script are due.
    public func dueCount(script: Script, today: Int) -> Int {
        deck.dueCount(of: table.characters(of: script), today: today)
    }

    /// Whether a tap counts: not the second one of an accidental double tap on a button that was there before.
    public func allowsTap(at now: Int) -> Bool { tap.allows(at: now) }

    /// Judge what was written. When the character is done with, the deck learns it: right at the first attempt moves it
    /// on a box, any miss brings it back to the first.
    public mutating func attempt(_ verdict: Verdict, drawing: Drawing?, today: Int, now: Int) {
        guard var attempted = task, !attempted.isFinished else { return }
        let outcome = attempted.attempt(verdict)
        task = attempted
        if outcome.isFinal {
            deck.record(attempted.character, right: outcome == .right && attempted.misses == 0, today: today)
            tap.appear(at: now)
        }
        let strokes = attempted.kana.strokes
        if outcome == .right, let drawing, !strokes.isEmpty {
            advice = StrokeAdvice.advice(on: drawing, usual: strokes)
        } else {
            advice = []
        }
    }
}
