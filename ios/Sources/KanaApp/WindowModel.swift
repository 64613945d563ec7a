import KanaInk
import KanaReading
import Observation

/// The state of a window that is saved. Every key may be missing.
public struct Draft: Equatable, Sendable, Codable {
    public var tab: Tab?
    /// The text to which recognized characters were added.
    public var text: String?
    public var drawing: Drawing?
    /// The character that practice asks.
    public var character: String?
    public var attempt: Drawing?
    /// The drawing on the wide canvas, and the corrections of its characters.
    var words: Drawing?
    var choices: [[Int]: String]?

    public enum Tab: String, Codable, Sendable { case draw, words, practice, settings, samples }
}

/// The drafts of all windows, in the order in which they were opened.
struct Drafts: Equatable, Sendable, Codable {
    var windows: [Draft] = []
}

/// One window: its tab, drawing, text and lesson. Each change is saved at once.
@MainActor @Observable
public final class WindowModel {
    public var tab: Draft.Tab { didSet { save() } }
    /// The text to which recognized characters are added.
    public var text: String { didSet { save() } }
    public let ink: LiveReader
    public let writing: Writing
    public let lesson: Lesson
    @ObservationIgnored private let app: AppModel
    @ObservationIgnored private let index: Int

    init(app: AppModel, index: Int) {
        let draft = app.drafts.value.windows[index]
        self.app = app
        self.index = index
        tab = draft.tab ?? .draw
        text = draft.text ?? ""
        ink = LiveReader(reader: app.reader, clock: app.clock)
        writing = Writing(app: app, drawing: draft.words, choices: draft.choices ?? [:])
        lesson = Lesson(app: app, character: draft.character, drawing: draft.attempt)
        ink.script = app.settings.value.script
        if let drawing = draft.drawing { ink.restore(drawing) }
        ink.changed = { [weak self] in self?.save() }
        writing.changed = { [weak self] in self?.save() }
        lesson.changed = { [weak self] in self?.save() }
    }

    /// Add a candidate to the text, and clear the canvas for the next character.
    public func choose(_ label: String) {
        text += label
        ink.reset()
    }

    /// Add what the wide canvas reads to the text, the last strokes too, and clear it; nothing if it is not read.
    public func takeWriting() async {
        guard await writing.ink.readNow() != nil else { return }
        text += writing.text
        writing.reset()
    }

    private func save() {
        let task = lesson.session.task.flatMap { $0.isFinished ? nil : $0 }
        app.drafts.value.windows[index] = Draft(
            tab: tab, text: text, drawing: ink.editor.isEmpty ? nil : ink.drawing, character: task?.character,
            attempt: task == nil || lesson.ink.editor.isEmpty ? nil : lesson.ink.drawing,
            words: writing.ink.editor.isEmpty ? nil : writing.ink.drawing,
            choices: writing.ink.editor.isEmpty ? nil : writing.choices)
    }
}
