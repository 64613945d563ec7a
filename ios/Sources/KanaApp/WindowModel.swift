import KanaInk
import KanaReading
import Observation

/// What a window was left with. Every key may be missing.
public struct Draft: Equatable, Sendable, Codable {
    public var tab: Tab?
    /// What was recognized and taken over.
    public var text: String?
    public var drawing: Drawing?
    /// The character that is asked.
    public var character: String?
    public var attempt: Drawing?
    /// On the wide canvas, with what was put right there.
    var words: Drawing?
    var choices: [[Int]: String]?

    public enum Tab: String, Codable, Sendable { case draw, words, practice, settings, samples }
}

/// The drafts of all windows, in the order in which they were opened.
struct Drafts: Equatable, Sendable, Codable {
    var windows: [Draft] = []
}

/// One window: its tab, its drawing, its lesson. Each change is kept at once.
@MainActor @Observable
public final class WindowModel {
    public var tab: Draft.Tab { didSet { keep() } }
    /// What was recognized and taken over.
    public var text: String { didSet { keep() } }
    public let ink: LiveReader
    public let writing: Writing
    public let lesson: Lesson
    @ObservationIgnored private let app: AppModel
    @ObservationIgnored private let place: Int

    init(app: AppModel, place: Int) {
        let draft = app.drafts.value.windows[place]
        self.app = app
        self.place = place
        tab = draft.tab ?? .draw
        text = draft.text ?? ""
        ink = LiveReader(reader: app.reader, clock: app.clock)
        writing = Writing(app: app, drawing: draft.words, choices: draft.choices ?? [:])
        lesson = Lesson(app: app, character: draft.character, drawing: draft.attempt)
        ink.script = app.settings.value.script
        if let drawing = draft.drawing { ink.restore(drawing) }
        ink.changed = { [weak self] in self?.keep() }
        writing.changed = { [weak self] in self?.keep() }
        lesson.changed = { [weak self] in self?.keep() }
    }

    /// Take a candidate over into the text; the canvas is free for the next.
    public func choose(_ label: String) {
        text += label
        ink.reset()
    }

    /// Take what is on the wide canvas over into the text, and go on with an empty one.
    public func takeWriting() {
        text += writing.text
        writing.reset()
    }

    private func keep() {
        let task = lesson.session.task.flatMap { $0.isFinished ? nil : $0 }
        app.drafts.value.windows[place] = Draft(
            tab: tab, text: text, drawing: ink.editor.isEmpty ? nil : ink.drawing, character: task?.character,
            attempt: task == nil || lesson.ink.editor.isEmpty ? nil : lesson.ink.drawing,
            words: writing.ink.editor.isEmpty ? nil : writing.ink.drawing,
            choices: writing.ink.editor.isEmpty ? nil : writing.choices)
    }
}
