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
    /// What was missed comes back after so many others.
    static let rest = 2
    private var recent: [String] = []
    private var tap = TapGuard()

    public init(table: PracticeTable, deck: Deck) {
        self.table = table
        self.deck = deck
    }

    /// Ask the next character of a script. With `anyway` one is asked although nothing is due: the one that would be
    /// due first.
    public mutating func next(script: Script, mode: PracticeMode, today: Int, now: Int, anyway: Bool = false) {
        let order = table.characters(of: script)
        var character = deck.next(of: order, today: today, recent: recent)
        if character == nil, anyway {
            let others = order.filter { !recent.contains($0) }
            character = (others.isEmpty ? order : others).min {
                (deck.cards[$0]?.due ?? 0) < (deck.cards[$1]?.due ?? 0)
            }
        }
        if let character { recent = (recent.filter { $0 != character } + [character]).suffix(Self.rest) }
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

    /// Judge what was written. When the character is done with, the deck learns it.
    public mutating func attempt(_ verdict: Verdict, drawing: Drawing?, today: Int, now: Int) {
        guard var attempted = task, !attempted.isFinished else { return }
        let outcome = attempted.attempt(verdict)
        finish(attempted, today: today, now: now)
        let strokes = attempted.kana.strokes
        if outcome == .right, let drawing, !strokes.isEmpty {
            advice = StrokeAdvice.advice(on: drawing, usual: strokes)
        }
    }

    /// "I do not know": the answer at once, as after two misses.
    public mutating func give(today: Int, now: Int) {
        guard var given = task, !given.isFinished else { return }
        given.give()
        finish(given, today: today, now: now)
    }

    private mutating func finish(_ attempted: PracticeTask, today: Int, now: Int) {
        task = attempted
        advice = []
        guard attempted.isFinished else { return }
        deck.record(attempted.character, misses: attempted.misses, today: today)
        tap.appear(at: now)
    }
}
