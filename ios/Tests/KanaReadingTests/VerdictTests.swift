import Foundation
import KanaInk
import Testing

@testable import KanaReading

private func facts(_ labels: [String] = ["あ", "っ", "つ", "へ", "ヘ", "ア"], threshold: Double = 0.5) throws -> ModelFacts {
    try ModelFacts(labels: labels + ["no character"], noCharacter: "no character", threshold: threshold)
}

/// Of the small network.
private func bundled() throws -> ModelFacts {
    let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../export/pretrained/kana/labels.json")
    return try ModelFacts(labelsJSON: Data(contentsOf: file.standardized))
}

private func spread(_ given: [String: Double], over facts: ModelFacts) -> [String: Double] {
    Dictionary(uniqueKeysWithValues: facts.labels.map { ($0, given[$0] ?? 0) })
}

@Suite struct FactsTests {
    @Test func metadataOfThePackage() throws {
        let found = try ModelFacts(metadata: [
            "charset": "あがっ", "no_character_label": "no character", "threshold": "0.5403", "precision": "float16",
        ])
        #expect(found.labels == ["あ", "が", "っ", "no character"])
        #expect(found.threshold == 0.5403)
    }

    @Test func labelsOfSeveralCodePoints() throws {
        let metadata = ["charset": "/ spiral क्ष 한", "no_character_label": "no character", "threshold": "0.5"]
        #expect(try ModelFacts(metadata: metadata).characters == ["/", "spiral", "क्ष", "한"])
    }

    @Test func labelsFile() throws {
        let text = #"{"labels": ["あ", "い", "no character"], "no_character": 2, "threshold": 0.54, "charset": "x"}"#
        let found = try ModelFacts(labelsJSON: Data(text.utf8))
        #expect(found.characters == ["あ", "い"] && found.noCharacter == "no character" && found.threshold == 0.54)
    }

    @Test func labelsFileOfTheBundledPackage() throws {
        let found = try bundled()
        #expect(found.characters.count == 162 && found.threshold > 0)
        #expect(found.characters.allSatisfy { Script.kana.holds($0) })
    }

    @Test func whatIsMissingOrOddIsTold() {
        let whole = ["charset": "あい", "no_character_label": "no character", "threshold": "0.5"]
        for (key, value) in [
            ("charset", nil), ("threshold", nil), ("no_character_label", nil), ("threshold", "high"),
            ("threshold", "nan"), ("threshold", "1.5"), ("charset", "ああ"), ("charset", ""),
        ] as [(String, String?)] {
            var metadata = whole
            metadata[key] = value
            #expect(throws: ModelFactsError.self, "\(key) \(value ?? "missing")") { try ModelFacts(metadata: metadata) }
        }
        #expect(throws: ModelFactsError.self) {
            try ModelFacts(labelsJSON: Data(#"{"labels": ["あ", "い"], "no_character": 5, "threshold": 0.5}"#.utf8))
        }
    }
}

private let cases = ProcessInfo.processInfo.environment["KANA_CASES"]

/// What the bundled network gave for the picture of a drawing, and what Python answers where the script competes.
private struct Row: Decodable {
    let script: Script
    let drawing: Int
    let probabilities: [Double]
    let label: String
    let probability: Double
    let uncertain: Bool
}

private struct Network: CharacterReading {
    let known: ModelFacts
    let answer: [Double]

    func facts() -> ModelFacts { known }
    func probabilities(of picture: Picture) -> [String: Double] {
        Dictionary(uniqueKeysWithValues: zip(known.labels, answer))
    }
}

@Suite struct VerdictTests {
    @Test(.enabled(if: cases != nil, "tests/test_ios.py gives them")) func verdictsAreThoseOfPython() async throws {
        func decoded<T: Decodable>(_ name: String) throws -> T {
            let file = URL(fileURLWithPath: "\(cases ?? "")/\(name).json")
            return try JSONDecoder().decode(T.self, from: Data(contentsOf: file))
        }
        let (rows, drawings): ([Row], [Drawing]) = try (decoded("verdicts"), decoded("drawings"))
        let facts = try bundled()
        #expect(rows.count > 100)
        for row in rows {
            let network = Network(known: facts, answer: row.probabilities)
            let verdict = try await network.verdict(on: drawings[row.drawing], script: row.script)
            if row.label == facts.noCharacter {
                #expect(verdict == .nothing)
                continue
            }
            let first = try #require(verdict.candidates.first)
            #expect(first.label == row.label && abs(first.probability - row.probability) < 1e-4)
            #expect((verdict.character == nil) == row.uncertain)
        }
    }

    @Test func theThresholdIsThePackages() throws {
        for threshold in [0.3, 0.9] {
            let facts = try facts(threshold: threshold)
            let verdict = try Verdict(probabilities: spread(["あ": 0.6, "つ": 0.4], over: facts), facts: facts)
            #expect(verdict.character == (threshold < 0.6 ? "あ" : nil))
            #expect(verdict.candidates.map(\.label).prefix(2) == ["あ", "つ"])
            #expect(verdict.candidates.count == Verdict.maxCandidates)
        }
    }

    @Test func noCharacterIsNothing() throws {
        let facts = try facts()
        #expect(try Verdict(probabilities: spread(["no character": 1], over: facts), facts: facts) == .nothing)
    }

    @Test func onlyTheScriptCompetes() throws {
        let facts = try facts()
        let given = spread(["ア": 0.7, "あ": 0.2, "no character": 0.1], over: facts)
        #expect(try Verdict(probabilities: given, facts: facts).character == "ア")
        let hiragana = try Verdict(probabilities: given, facts: facts, script: .hiragana)
        #expect(hiragana.character == "あ")
        #expect(abs(hiragana.candidates[0].probability - 2.0 / 3) < 1e-12)
        #expect(!hiragana.candidates.contains { $0.label == "ア" })
        let only = try Verdict(probabilities: spread(["あ": 1], over: facts), facts: facts, script: .katakana)
        #expect(only == .unsure([]))
    }

    @Test func ofANetworkOfAnyScriptAllCharactersCompete() throws {
        let facts = try ModelFacts(labels: ["漢", "ц", "へ", "none"], noCharacter: "none", threshold: 0.5)
        for label in ["漢", "ц"] {
            let given = ["漢": 0.0, "ц": 0, "へ": 0.1, "none": 0.1].merging([label: 0.8]) { $1 }
            #expect(try Verdict(probabilities: given, facts: facts).character == label)
        }
    }

    @Test func onlySomeCharactersMayCompete() async throws {
        let facts = try facts()
        let given = spread(["ア": 0.5, "つ": 0.2, "っ": 0.2, "no character": 0.1], over: facts)
        let some = try Verdict(probabilities: given, facts: facts, among: ["つ", "あ"])
        #expect(some.candidates.map(\.label) == ["つ", "あ"] && abs(some.candidates[0].probability - 2.0 / 3) < 1e-12)
        // Low ink gives つ no less where っ does not compete.
        let network = Network(known: facts, answer: facts.labels.map { given[$0] ?? 0 })
        let low = try Drawing(width: 9, height: 9, strokes: [Stroke([InkPoint(x: 4, y: 8)])])
        #expect(try await network.verdict(on: low, among: ["つ", "あ"]) == some)
        #expect(try await network.verdict(on: low, among: ["つ", "っ"]).candidates.first?.label == "っ")
        for (wrong, unknown) in [([], []), (["つ", "漢"], ["漢"])] as [(Set<String>, [String])] {
            await #expect(throws: VerdictError.otherCharacters(unknown)) {
                try await network.verdict(on: low, among: wrong)
            }
        }
    }

    @Test func errorsAreShownInTheirOwnWords() {
        let shown = VerdictError.otherLabels(missing: ["つ"], unknown: []).localizedDescription
        #expect(shown.hasPrefix("verdict: expected a probability of each label"))
        let error = #expect(throws: (any Error).self) { try ModelFacts(metadata: [:]) }
        #expect(error?.localizedDescription.hasPrefix("model: metadata: expected the key") == true)
    }

    @Test func oneShapeIsOneCandidate() throws {
        let facts = try facts()
        let given = spread(["へ": 0.4, "ヘ": 0.45, "あ": 0.15], over: facts)
        let verdict = try Verdict(probabilities: given, facts: facts)
        #expect(verdict.character == "ヘ" && abs(verdict.candidates[0].probability - 0.85) < 1e-12)
        #expect(!verdict.candidates.contains { $0.label == "へ" })
        #expect(try Verdict(probabilities: given, facts: facts, script: .hiragana).character == "へ")
    }

    @Test func equalsKeepTheOrderOfTheLabels() throws {
        let facts = try facts(threshold: 0.1)
        let given = spread(["つ": 0.5, "っ": 0.5], over: facts)
        for _ in 0..<20 {
            #expect(try Verdict(probabilities: given, facts: facts).candidates.prefix(2).map(\.label) == ["っ", "つ"])
        }
    }

    @Test func otherLabelsAndOddNumbersAreErrors() throws {
        let facts = try facts()
        var given = spread(["あ": 1], over: facts)
        given["い"] = given.removeValue(forKey: "つ")
        #expect(throws: VerdictError.otherLabels(missing: ["つ"], unknown: ["い"])) {
            try Verdict(probabilities: given, facts: facts)
        }
        for odd in [Double.nan, -0.1, 2, .infinity] {
            #expect(throws: VerdictError.noProbability) {
                try Verdict(probabilities: spread(["あ": odd], over: facts), facts: facts)
            }
        }
    }

    @Test func confidenceInWords() {
        #expect(
            [1, 0.95, 0.9, 0.5, 0.49, 0.1, 0.05, 0].map { Confidence($0) } == [
                .almostCertain, .almostCertain, .likely, .likely, .possible, .possible, .unlikely, .unlikely,
            ])
    }

    @Test func sizeAlone() {
        #expect(Script.differInSizeAlone("っ", "つ") && Script.differInSizeAlone("ヨ", "ョ"))
        #expect(!Script.differInSizeAlone("つ", "つ") && !Script.differInSizeAlone("つ", "し"))
        #expect(!Script.differInSizeAlone("ツ", "つ"))
        #expect(Script.large.count == 22)
    }
}
