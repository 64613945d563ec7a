import KanaInk
import KanaReading
import Observation

/// A window's practice: `PracticeSession` with its canvas, on the app's one deck.
@MainActor @Observable
public final class Lesson {
    public private(set) var session: PracticeSession
    /// The canvas. It reads only when asked, so that nothing gives the answer away.
    public let ink: LiveReader
    @ObservationIgnored private let app: AppModel
    @ObservationIgnored var changed: @MainActor () -> Void = {}

    init(app: AppModel, character: String?, drawing: Drawing?) {
        self.app = app
        session = PracticeSession(table: app.table)
        ink = LiveReader(reader: app.reader, clock: app.clock, isLive: false)
        session.ask(character, app.settings.value, now: app.clock.now())
        if let task = session.task { ink.script = task.kana.script }
        if let drawing, session.task != nil { ink.restore(drawing) }
        ink.changed = { [weak self] in self?.changed() }
    }

    private var today: Int { app.clock.today() }
    private var now: Int { app.clock.now() }

    /// How many characters are due.
    public var dueCount: Int {
        let settings = app.settings.value
        return app.deck.value.dueCount(
            of: app.table.characters(of: settings.practised, rows: settings.rows), today: today)
    }

    /// Ask another character if needed, after a return to the app or a change of the settings.
    public func refresh() {
        if session.task == nil || session.isOutdated(by: app.settings.value) { next() }
    }

    public func next(anyway: Bool = false) {
        if session.task?.isFinished == true, !session.allowsTap(at: now) { return }
        session.next(app.settings.value, deck: app.deck.value, today: today, now: now, anyway: anyway)
        begin()
    }

    public func skip() {
        session.skip(app.settings.value, deck: app.deck.value, today: today, now: now)
        begin()
    }

    private func begin() {
        if let task = session.task { ink.script = task.kana.script }
        ink.reset()
    }

    public func check() async {
        guard session.allowsTap(at: now), let verdict = await ink.readNow() else { return }
        session.attempt(verdict, drawing: ink.drawing, deck: &app.deck.value, today: today, now: now)
        switch session.task?.outcome {
        case .wrong, .otherSize, .unreadable: ink.clear()
        case .right, .missed, .given, .nothing, nil: changed()
        }
    }

    public func give() {
        guard session.allowsTap(at: now) else { return }
        session.give(deck: &app.deck.value, today: today, now: now)
        ink.reset()
    }
}
