import Foundation
import KanaInk
import KanaReading

/// A kana to practise, with the facts that `fastetl.synth.practice` gives to app and pad.
public struct Kana: Equatable, Sendable, Identifiable {
    public let character: String
    public let script: Script
    /// Hepburn: "nu", "small tsu".
    public let sound: String
    /// A word with the character, if its sound or form is also that of another one; else "".
    public let word: String
    /// The word in Latin letters; else "".
    public let romaji: String
    /// The word in English; else "".
    public let meaning: String
    /// The row of its table, from 0.
    public let row: Int
    /// Its strokes in their order, each a line of points in a box of side 1, y downwards. From KanjiVG.
    public let strokes: [[InkPoint]]

    public var id: String { character }
    func isOf(_ wantedScript: Script) -> Bool { wantedScript == script || wantedScript == .kana }

    public init(
        character: String, script: Script, sound: String, word: String = "", romaji: String = "",
        meaning: String = "", row: Int = 0, strokes: [[InkPoint]] = []
    ) {
        self.character = character
        self.script = script
        self.sound = sound
        self.word = word
        self.romaji = romaji
        self.meaning = meaning
        self.row = row
        self.strokes = strokes
    }

    /// The word with ◯ where the character stands first; nil if there is no word, or if it has another kana that is not
    /// known yet.
    public func gap(isKnown: (String) -> Bool) -> String? {
        guard let range = word.range(of: character),
            word.allSatisfy({ String($0) == character || isKnown(String($0)) })
        else { return nil }
        return word.replacingCharacters(in: range, with: "◯")
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
    /// Whose strokes they are, for the user to read.
    public let attribution: String

    init(kana: [Kana]) { (self.kana, attribution) = (kana, "") }

    /// The kana of a script in order; of some rows, or of all where `rows` is empty.
    public func characters(of script: Script, rows: Set<Int> = []) -> [String] {
        kana.filter { $0.isOf(script) && (rows.isEmpty || rows.contains($0.row)) }.map(\.character)
    }

    /// The first kana of each row that a script has: あ, か …
    public func rows(of script: Script) -> [Kana] {
        var numbers: Set<Int> = []
        return kana.filter { $0.isOf(script) && numbers.insert($0.row).inserted }
    }

    /// The table that comes with the app.
    public static func bundled() throws -> PracticeTable {
        guard let file = Bundle.module.url(forResource: "practice", withExtension: "json") else {
            throw PracticeTableError.damaged
        }
        return try PracticeTable(json: Data(contentsOf: file))
    }

    public func kana(_ character: String) -> Kana? { kana.first { $0.character == character } }

    /// From the file's text. Throws `PracticeTableError` or `DecodingError` for what is not such a file.
    public init(json: Data) throws {
        struct File: Decodable {
            struct Entry: Decodable {
                let character: String
                let script: Script
                let sound: String
                let word, romaji, meaning: String
                let row: Int
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
                romaji: entry.romaji, meaning: entry.meaning, row: entry.row, strokes: strokes)
        }
        attribution = "\(file.source), \(file.license)"
    }
}

/// A file that is no practice table.
public enum PracticeTableError: Error, Equatable {
    /// Strokes of odd length, characters twice, or a box without size.
    case damaged
}
