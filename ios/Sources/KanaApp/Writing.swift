import KanaInk
import KanaLines
import Observation

/// Words and lines on a wide canvas. The text grows while one writes, and each character can be corrected.
@MainActor @Observable
public final class Writing {
    public let ink: LiveReader
    /// Corrections. The key is the index of each of a character's strokes, followed by its number of points, so that a
    /// correction comes back with the strokes after undo and redo.
    public private(set) var choices: [[Int]: String]
    @ObservationIgnored var changed: @MainActor () -> Void = {}

    init(app: AppModel, drawing: Drawing?, choices: [[Int]: String]) {
        self.choices = choices
        ink = LiveReader(reader: app.reader, clock: app.clock, readsLines: true)
        ink.script = app.settings.value.script
        if let drawing { ink.restore(drawing) }
        ink.changed = { [weak self] in self?.changed() }
    }

    public var characters: [LineCharacter] { ink.lines.flatMap(\.characters) }

    /// The text, with corrections.
    public var text: String {
        ink.lines.map { line in
            line.characters.map { ($0.isAfterSpace ? " " : "") + label(of: $0) }.joined()
        }.joined(separator: "\n")
    }

    /// Width of a canvas with room for one more character, in heights of the canvas.
    public var width: Double {
        let right = ink.editor.strokes.compactMap { $0.x.max() }.max() ?? 0
        return min(max((right / max(ink.canvas.height, 1) + 0.8).rounded(.up), 3), 8)
    }

    public func label(of character: LineCharacter) -> String { choices[key(character)] ?? character.label }

    public func isSure(_ character: LineCharacter) -> Bool { character.isSure || choices[key(character)] != nil }

    public func choose(_ label: String, for character: LineCharacter) {
        choices[key(character)] = label
        changed()
    }

    func reset() {
        choices = [:]
        ink.reset()
    }

    private func key(_ character: LineCharacter) -> [Int] {
        let strokes = ink.editor.strokes
        return character.strokes.filter(strokes.indices.contains).flatMap { [$0, strokes[$0].count] }
    }
}
