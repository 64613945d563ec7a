import KanaInk
import KanaReading

/// Practice from one character to the next. Times are milliseconds of a clock that only goes forward; days are counted
/// by `Deck.day`. The deck belongs to the caller, who passes it.
public struct PracticeSession: Sendable {
    public let table: PracticeTable
    /// The character being practised; nil if none is due.
    public private(set) var task: PracticeTask?
    /// The drawing of the task that was judged last; nil if there is none.
    public private(set) var attemptedDrawing: Drawing?
    /// Advice on the strokes of the last attempt.
    public private(set) var advice: [StrokeAdvice] = []
    /// A missed character is asked again after so many others.
    static let recentCount = 2
    private var recent: [String] = []
    private var skippedToday: (day: Int, characters: Set<String>) = (0, [])
    /// Milliseconds for which a button that has just appeared does nothing; the system's double tap is shorter.
    static let doubleTapMilliseconds = 500
    private var appearedAt = 0

    public init(table: PracticeTable) { self.table = table }

    /// Ask the next character. If none is due, `anyway` asks the one that will be due first.
    public mutating func next(_ settings: AppSettings, deck: Deck, today: Int, now: Int, anyway: Bool = false) {
        if skippedToday.day != today || anyway { skippedToday = (today, []) }
        let members = table.characters(of: settings.practised, rows: settings.rows)
        let order = members.filter { !skippedToday.characters.contains($0) }
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
        if let kana { recent = (recent.filter { $0 != kana.character } + [kana.character]).suffix(Self.recentCount) }
        task = kana.map { PracticeTask(kana: $0, mode: settings.mode) }
        attemptedDrawing = nil
        advice = []
        appearedAt = now
    }

    /// Leave the character for another day, without a miss.
    public mutating func skip(_ settings: AppSettings, deck: Deck, today: Int, now: Int) {
        guard let task, !task.isFinished else { return }
        if skippedToday.day != today { skippedToday = (today, []) }
        skippedToday.characters.insert(task.character)
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
    public func allowsTap(at now: Int) -> Bool { now - appearedAt >= Self.doubleTapMilliseconds }

    /// Judge a drawing. Once the character is finished, its result is recorded in the deck.
    public mutating func attempt(_ verdict: Verdict, drawing: Drawing?, deck: inout Deck, today: Int, now: Int) {
        guard var newTask = task, !newTask.isFinished else { return }
        let outcome = newTask.attempt(verdict)
        finish(newTask, deck: &deck, today: today, now: now)
        attemptedDrawing = drawing
        if outcome == .right, let drawing, !newTask.kana.strokes.isEmpty {
            advice = StrokeAdvice.advice(on: drawing, usual: newTask.kana.strokes)
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
        appearedAt = now
    }
}
