import Foundation
import KanaInk
import KanaReading

/// What `check_on_mac.py` tells of a Mac, for a phone: every kana read by several readers (one for each choice of
/// compute units), compared with the first.
public enum DeviceCheck {
    public struct Row: Equatable, Sendable, Identifiable {
        public let name: String
        public let right: Int
        public let asked: Int
        /// Median time of one reading.
        public let milliseconds: Double
        /// Largest difference of a probability from the first reader's.
        public let apart: Double
        /// Why it gave no answers; nil where it did.
        public let failure: String?

        public var id: String { name }

        /// For a developer.
        public var text: String {
            if let failure { return "\(name): \(failure)" }
            let (speed, difference) = (String(format: "%.2f", milliseconds), String(format: "%.4f", apart))
            return "\(name): \(right) of \(asked) right, \(speed) ms, \(difference) apart"
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
                let asked = kana.filter { facts.characters.contains($0.character) && $0.drawing != nil }
                var found: [[String: Double]] = []
                var times: [Double] = []
                var right = 0
                for one in asked {
                    guard let drawing = one.drawing else { continue }
                    let picture = Rasterizer.picture(of: drawing)
                    let start = milliseconds()
                    let probabilities = try await reader.probabilities(of: picture)
                    times.append(milliseconds() - start)
                    found.append(probabilities)
                    var task = PracticeTask(kana: one, mode: .blank)
                    let verdict = try Verdict(probabilities: probabilities, facts: facts, script: one.script)
                    right += task.attempt(verdict) == .right ? 1 : 0
                }
                let apart = zip(found, first ?? found).map { mine, theirs in
                    mine.map { abs($0.value - (theirs[$0.key] ?? 0)) }.max() ?? 0
                }
                first = first ?? found
                rows.append(
                    Row(
                        name: name, right: right, asked: asked.count, milliseconds: median(times),
                        apart: apart.max() ?? 0, failure: nil))
            } catch {
                rows.append(Row(name: name, right: 0, asked: 0, milliseconds: 0, apart: 0, failure: "\(error)"))
            }
        }
        return rows
    }

    private static func median(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }
}
