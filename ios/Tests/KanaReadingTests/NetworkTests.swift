import Foundation
import Testing

@testable import KanaReading

/// What the bundled network gave for pictures, and what Python makes of it: `tests/test_ios.py` writes the file.
private struct Answers: Decodable {
    struct Row: Decodable {
        let script: Script
        let probabilities: [Double]
        /// The likeliest candidate, and its probability among those that compete.
        let label: String
        let probability: Double
    }
    let rows: [Row]
}

private let file = ProcessInfo.processInfo.environment["KANA_ANSWERS"]

@Suite struct NetworkTests {
    @Test(.enabled(if: file != nil, "tests/test_ios.py gives the file"))
    func verdictsAreThoseOfPython() throws {
        let answers = try JSONDecoder().decode(Answers.self, from: Data(contentsOf: URL(fileURLWithPath: file ?? "")))
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../export/pretrained/kana")
            .standardized
        let facts = try ModelFacts(labelsJSON: Data(contentsOf: root.appendingPathComponent("labels.json")))
        #expect(answers.rows.count > 100)
        for row in answers.rows {
            let named = Dictionary(uniqueKeysWithValues: zip(facts.labels, row.probabilities))
            let verdict = try Verdict(probabilities: named, facts: facts, script: row.script)
            if row.label == facts.noCharacter {
                #expect(verdict == .nothing)
                continue
            }
            let first = try #require(verdict.candidates.first)
            #expect(first.label == row.label && abs(first.probability - row.probability) < 1e-4)
            #expect((verdict.character == nil) == (row.probability < facts.threshold))
        }
    }
}
