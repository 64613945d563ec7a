import KanaInk
import KanaReading

/// Practice from one character to the next. Times are milliseconds of a clock that only goes forward; days are counted
/// by `Deck.day`. The deck belongs to the caller, who passes it.
public struct PracticeSession: Sendable {
    public let table: PracticeTable
    /// The character being practised; nil if none is due.
    public private(set) var task: PracticeTask?
    /// The drawing of the task that was judged last; nil if there is none.
    public private(set) var attempted: Drawing?
    /// Advice on the strokes of the last attempt.
    public private(set) var advice: [StrokeAdvice] = []
    /// A missed character is asked again after so many others.
    static let rest = 2
    private var recent: [String] = []
    private var skipped: (day: Int, characters: Set<String>) = (0, [])
    /// Milliseconds for which a button that has just appeared does nothing; the system's double tap is shorter.
    static let doubleTap = 500
    private var appeared = 0

    public init(table: PracticeTable) { self.table = table }

    /// Ask the next character. If none is due, `anyway` asks the one that will be due first.
    public mutating func next(_ settings: AppSettings, deck: Deck, today: Int, now: Int, anyway: Bool = false) {
        if skipped.day != today || anyway { skipped = (today, []) }
        let members = table.characters(of: settings.practised, rows: settings.rows)
        let order = members.filter { !skipped.characters.contains($0) }
        var character = deck.next(of: order, today: today, newPerDay: settings.newPerDay, recent: recent)
        if character == nil, anyway {
            let choices = order.filter { !recent.contains($0) }
            character = (choices.isEmpty ? order : choices).min {
                (deck.cards[$0]?.due ?? 0) < (deck.cards[$1]?.due ?? 0)
            }
        }
        ask(character, settings, now: now)
    }

    /// Ask this character, if the settings include it.
    public mutating func ask(_ character: String?, _ settings: AppSettings, now: Int) {
        let kana = character.flatMap { table.kana($0) }.flatMap { isPractised($0, settings) ? $0 : nil }
        if let kana { recent = (recent.filter { $0 != kana.character } + [kana.character]).suffix(Self.rest) }
        task = kana.map { PracticeTask(kana: $0, mode: settings.mode) }
        attempted = nil
        advice = []
        appeared = now
    }

    /// Leave the character for another day, without a miss.
    public mutating func skip(_ settings: AppSettings, deck: Deck, today: Int, now: Int) {
        guard let task, !task.isFinished else { return }
        if skipped.day != today { skipped = (today, []) }
        skipped.characters.insert(task.character)
        next(settings, deck: deck, today: today, now: now)
    }

    /// Whether the settings no longer include the character that is asked.
    public func isOutdated(by settings: AppSettings) -> Bool {
        guard let task, !task.isFinished else { return false }
        return task.mode != settings.mode || !isPractised(task.kana, settings)
    }

    private func isPractised(_ kana: Kana, _ settings: AppSettings) -> Bool {
        kana.isOf(settings.practised) && (settings.rows.isEmpty || settings.rows.contains(kana.row))
    }

    /// Whether a tap counts. The second tap of an accidental double tap does not: it was meant for the button before.
    public func allowsTap(at now: Int) -> Bool { now - appeared >= Self.doubleTap }

    /// Judge a drawing. Once the character is finished, its result is recorded in the deck.
    public mutating func attempt(_ verdict: Verdict, drawing: Drawing?, deck: inout Deck, today: Int, now: Int) {
        guard var judged = task, !judged.isFinished else { return }
        let outcome = judged.attempt(verdict)
        finish(judged, deck: &deck, today: today, now: now)
        attempted = drawing
        if outcome == .right, let drawing, !judged.kana.strokes.isEmpty {
            advice = StrokeAdvice.advice(on: drawing, usual: judged.kana.strokes)
        }
    }

    /// Show the answer at once, as after two misses: "I do not know".
    public mutating func give(deck: inout Deck, today: Int, now: Int) {
        guard var newTask = task, !newTask.isFinished else { return }
        newTask.give()
        finish(newTask, deck: &deck, today: today, now: now)
    }

    private mutating func finish(_ newTask: PracticeTask, deck: inout Deck, today: Int, now: Int) {
        task = newTask
        advice = []
        guard newTask.isFinished else { return }
        deck.record(newTask.character, misses: newTask.misses, today: today)
        appeared = now
    }
}
