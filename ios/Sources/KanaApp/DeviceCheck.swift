import Foundation
import KanaInk
import KanaReading

/// Reads every kana by several readers, one for each choice of compute units, and compares them with the first: what
/// `check_on_mac.py` does on a Mac.
public enum DeviceCheck {
    /// The result of one reader.
    public struct Row: Equatable, Sendable, Identifiable {
        public let name: String
        public let rightCount: Int
        public let askedCount: Int
        /// Median time of one reading.
        public let milliseconds: Double
        /// Largest difference of a probability from the first reader's.
        public let maxDifference: Double
        /// Why it gave no answers; nil where it did.
        public let failure: String?

        public var id: String { name }

        /// For a developer.
        public var text: String {
            if let failure { return "\(name): \(failure)" }
            let (speed, difference) = (String(format: "%.2f", milliseconds), String(format: "%.4f", maxDifference))
            return "\(name): \(rightCount) of \(askedCount) right, \(speed) ms, \(difference) apart"
        }
    }

    /// Read each kana that has strokes and that the model knows. `milliseconds`: a clock that only goes forward.
    public static func run(
        _ readers: [(name: String, reader: any CharacterReading)], kana: [Kana],
        milliseconds: @Sendable () -> Double
    ) async -> [Row] {
        var rows: [Row] = []
        var first: [[String: Double]]?
        for (name, reader) in readers {
            do {
                let facts = try await reader.facts()
                let askedKana = kana.filter { facts.characters.contains($0.character) && $0.drawing != nil }
                var answers: [[String: Double]] = []
                var times: [Double] = []
                var rightCount = 0
                for character in askedKana {
                    guard let drawing = character.drawing else { continue }
                    let picture = Rasterizer.picture(of: drawing)
                    let start = milliseconds()
                    let probabilities = try await reader.probabilities(of: picture)
                    times.append(milliseconds() - start)
                    answers.append(probabilities)
                    var task = PracticeTask(kana: character, mode: .blank)
                    let verdict = try Verdict(probabilities: probabilities, facts: facts, script: character.script)
                    rightCount += task.attempt(verdict) == .right ? 1 : 0
                }
                let differences = zip(answers, first ?? answers).map { answer, expected in
                    answer.map { abs($0.value - (expected[$0.key] ?? 0)) }.max() ?? 0
                }
                first = first ?? answers
                rows.append(
                    Row(
                        name: name, rightCount: rightCount, askedCount: askedKana.count, milliseconds: median(times),
                        maxDifference: differences.max() ?? 0, failure: nil))
            } catch {
                rows.append(
                    Row(
                        name: name, rightCount: 0, askedCount: 0, milliseconds: 0, maxDifference: 0, failure: "\(error)"
                    ))
            }
        }
        return rows
    }

    private static func median(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }
}
