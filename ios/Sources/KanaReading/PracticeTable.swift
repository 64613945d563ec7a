import Foundation
import KanaInk

/// A kana as it is practised: what `python -m fastetl.practice` writes of it, the same for the app and the pad.
public struct Kana: Equatable, Sendable, Identifiable {
    public let character: String
    public let script: Script
    /// Hepburn: "nu", "small tsu".
    public let sound: String
    /// A word that holds the character, where its sound or its form is another's too; else "".
    public let word: String
    /// Its strokes in their order, each a line of points in a box of side 1, y downwards. From KanjiVG.
    public let strokes: [[InkPoint]]

    public var id: String { character }

    public init(character: String, script: Script, sound: String, word: String = "", strokes: [[InkPoint]] = []) {
        self.character = character
        self.script = script
        self.sound = sound
        self.word = word
        self.strokes = strokes
    }

    /// The word with ◯ for the first place of the character; nil where there is no word.
    public var gap: String? {
        guard let place = word.range(of: character) else { return nil }
        return word.replacingCharacters(in: place, with: "◯")
    }

    /// Its strokes as a drawing on a canvas of side 1; nil where there are none.
    public var drawing: Drawing? {
        guard !strokes.isEmpty else { return nil }
        return try? Drawing(width: 1, height: 1, strokes: strokes.map { Stroke($0) })
    }
}

/// All kana that are practised, in the order of their tables.
public struct PracticeTable: Equatable, Sendable {
    public let kana: [Kana]
    /// Whose strokes they are, to be shown to the user.
    public let attribution: String

    /// The kana of a script in order.
    public func characters(of script: Script) -> [String] {
        kana.filter { script == .kana || $0.script == script }.map(\.character)
    }

    public func kana(_ character: String) -> Kana? { kana.first { $0.character == character } }

    /// From the file's text. Throws `PracticeTableError` or `DecodingError` for what is not such a file.
    public init(json: Data) throws {
        struct File: Decodable {
            struct Entry: Decodable {
                let character: String
                let script: Script
                let sound: String
                let word: String
                let strokes: [[Double]]
            }
            let source: String
            let license: String
            let box: Double
            let kana: [Entry]
        }
        let file = try JSONDecoder().decode(File.self, from: json)
        guard file.box > 0, Set(file.kana.map(\.character)).count == file.kana.count else {
            throw PracticeTableError.damaged
        }
        kana = try file.kana.map { entry in
            let strokes = try entry.strokes.map { flat in
                guard flat.count.isMultiple(of: 2), flat.count >= 2 else { throw PracticeTableError.damaged }
                return stride(from: 0, to: flat.count, by: 2).map {
                    InkPoint(x: flat[$0] / file.box, y: flat[$0 + 1] / file.box)
                }
            }
            return Kana(
                character: entry.character, script: entry.script, sound: entry.sound, word: entry.word,
                strokes: strokes)
        }
        attribution = "\(file.source), \(file.license)"
    }
}

public enum PracticeTableError: Error, Equatable {
    /// Strokes of odd length, characters twice, or a box without size.
    case damaged
}
