import Foundation
import KanaInk

/// A reader of pictures: the Core ML model in an app, a substitute in tests.
public protocol CharacterReading: Sendable {
    /// Labels and threshold of the model, which is loaded if it is not yet.
    func facts() async throws -> ModelFacts
    /// The probability of every label.
    func probabilities(of picture: Picture) async throws -> [String: Double]
}

extension CharacterReading {
    /// Read a drawing. The picture is made off the caller's actor, so that a screen never waits for it.
    @concurrent public func verdict(on drawing: Drawing, script: Script) async throws -> Verdict {
        try await verdict(on: drawing) { script.holds($0) }
    }

    /// Read a drawing on which only some characters can be meant: digits, or the kanji of a lesson.
    ///
    /// Throws `VerdictError.otherCharacters` if there are none, or if the model does not know one.
    @concurrent public func verdict(on drawing: Drawing, among characters: Set<String>) async throws -> Verdict {
        try await facts().require(characters)
        return try await verdict(on: drawing) { characters.contains($0) }
    }

    @concurrent private func verdict(
        on drawing: Drawing, competes: @Sendable (String) -> Bool
    ) async throws -> Verdict {
        let facts = try await facts()
        let picture = Rasterizer.picture(of: drawing)
        var probabilities = try await probabilities(of: picture)
        Script.weigh(&probabilities, lowness: picture.lowness, competes)
        return try Verdict(probabilities, facts, competes)
    }
}

/// The labels and the threshold of a package. The app has no threshold of its own.
public struct ModelFacts: Equatable, Sendable {
    /// The label of each class in order; the last is `noCharacter`.
    public let labels: [String]
    /// The label of a blank, nearly blank or filled picture.
    public let noCharacter: String
    /// The probability under which an answer should not be trusted, 0–1.
    public let threshold: Double

    /// The characters that the model can read, in order.
    public var characters: [String] { labels.filter { $0 != noCharacter } }

    /// Throws `VerdictError.otherCharacters` unless the model knows all of these, of which there must be one.
    package func require(_ required: Set<String>) throws {
        let unknown = required.subtracting(characters)
        guard !required.isEmpty, unknown.isEmpty else { throw VerdictError.otherCharacters(unknown.sorted()) }
    }

    /// Throws `ModelFactsError` for doubled labels, a missing "no character", or a threshold outside of 0–1.
    public init(labels: [String], noCharacter: String, threshold: Double) throws {
        guard labels.count >= 2, Set(labels).count == labels.count else {
            throw ModelFactsError("labels", expected: "two or more different labels", found: "\(labels.count)")
        }
        guard labels.last == noCharacter else {
            throw ModelFactsError("labels", expected: "\(noCharacter) as the last", found: labels.last ?? "none")
        }
        guard (0...1).contains(threshold) else {
            throw ModelFactsError("threshold", expected: "0 to 1", found: "\(threshold)")
        }
        self.labels = labels
        self.noCharacter = noCharacter
        self.threshold = threshold
    }

    /// From the metadata that the package itself carries (`MLModelMetadataKey.creatorDefinedKey`).
    public init(metadata: [String: String]) throws {
        func text(_ key: String) throws -> String {
            guard let found = metadata[key] else {
                throw ModelFactsError(
                    "metadata", expected: "the key \(key)", found: metadata.keys.sorted().joined(separator: ", "))
            }
            return found
        }
        let noCharacter = try text("no_character_label")
        let written = try text("threshold")
        guard let threshold = Double(written) else {
            throw ModelFactsError("threshold", expected: "a number", found: written)
        }
        // Blanks part the labels if one has several code points; else each code point is one, as が, U+304C.
        let charset = try text("charset").unicodeScalars
        let characters =
            charset.contains(" ") ? charset.split(separator: " ").map { String($0) } : charset.map { String($0) }
        try self.init(labels: characters + [noCharacter], noCharacter: noCharacter, threshold: threshold)
    }

    /// From the text of the package's `labels.json`.
    public init(labelsJSON: Data) throws {
        struct File: Decodable {
            let labels: [String]
            let noCharacter: Int
            let threshold: Double
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let file = try decoder.decode(File.self, from: labelsJSON)
        guard file.labels.indices.contains(file.noCharacter) else {
            throw ModelFactsError(
                "no_character", expected: "an index into \(file.labels.count) labels", found: "\(file.noCharacter)")
        }
        try self.init(
            labels: file.labels, noCharacter: file.labels[file.noCharacter], threshold: file.threshold)
    }
}

/// A package whose metadata are missing or wrong.
public struct ModelFactsError: KanaError, Equatable {
    public let description: String

    init(_ what: String, expected: String, found: String) {
        description = "model: \(what): expected \(expected), found \(found); export the package again"
    }
}
