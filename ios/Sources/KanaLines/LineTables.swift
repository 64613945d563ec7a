import Foundation
import KanaLineTables
import KanaReading

/// What is known of Japanese without a network: which characters follow which, how large each is on a line and where,
/// and what that counts. The heads of `fastetl/lines/pairs.py` and `shapes.py` describe the files.
struct LineTables: Sendable {
    /// Of a character: mean logarithms of its lengths along the line and across it, mean place across it from the
    /// line's middle, largest gap within; then their standard deviations. In sizes of the writing.
    typealias Form = [Double]

    /// What lies on its side where one writes downwards.
    static let turned: Set<String> = Set("ー〜…-=()「」『』".map { String($0) })
    /// What moves to the upper right where one writes downwards, and how far, in boxes of a character.
    private static let corner = Dictionary(uniqueKeysWithValues: "、。,.".map { (String($0), 0.5) })
        .merging(Script.large.mapValues { _ in 0.14 }) { first, _ in first }
    /// Least length that is told from a shorter one, in sizes of the writing.
    private static let least = 0.02
    /// Least logarithm of a pair's probability: no word is impossible.
    private static let rarest = -9.0
    private static let features = 12

    /// Of the features of `LinePath`.
    let weights: [Double]
    /// Of the probability of each pair, and what is added for each.
    let pair, each: Double
    private let across, down: [Form]
    private let shares, factors, values: [Double]
    private let starts: [Int]
    private let seconds: [UInt16]

    /// `characters`: of the bundled network, in order.
    init(_ characters: [String]) throws {
        let shapes = [UInt8](try KanaLineTables.file("shapes.bin")).map { Double(Int8(bitPattern: $0)) / 100 }
        let (bytes, count) = ([UInt8](try KanaLineTables.file("pairs.bin")), characters.count)
        let fitted = try JSONDecoder().decode([String: [Double]].self, from: KanaLineTables.file("weights.json"))
        guard shapes.count == 12 * count, let fitted = fitted["pairs"], fitted.count == Self.features + 2 else {
            throw LineError.otherLabels(expected: shapes.count / 12, found: count)
        }
        weights = Array(fitted.prefix(Self.features))
        (pair, each) = (fitted[Self.features], fitted[Self.features + 1])
        func whole(_ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
        starts = (0..<count).reduce(into: [0]) { $0.append($0[$1] + Int(whole(2 * count + 2 * $1))) }
        let total = starts[count]
        seconds = (0..<total).map { whole(4 * count + 2 * $0) }
        func logarithms(_ at: Int, _ count: Int) -> [Double] { bytes[at..<(at + count)].map { -Double($0) / 16 } }
        (shares, factors) = (logarithms(0, count), logarithms(count, count))
        values = logarithms(4 * count + 2 * total, total)
        func forms(isDown: Bool) -> [Form] {
            characters.indices.map { Self.form(characters[$0], shapes[(12 * $0)..<(12 * $0 + 12)], isDown: isDown) }
        }
        (across, down) = (forms(isDown: false), forms(isDown: true))
    }

    private static func form(_ character: String, _ row: ArraySlice<Double>, isDown: Bool) -> Form {
        var (means, deviations) = (Array(row.prefix(6)), Array(row.suffix(6)))
        let turn = [1, 0, 3, 2, 5, 4]
        func turned(_ values: [Double], minus: Int?) -> [Double] {
            turn.indices.map { $0 == minus ? -values[turn[$0]] : values[turn[$0]] }
        }
        if isDown {
            if Self.turned.contains(character) {
                (means, deviations) = (turned(means, minus: 2), turned(deviations, minus: nil))
            }
            let far = corner[character] ?? 0
            (means[2], means[3]) = (means[2] + far, means[3] - far)
            (means, deviations) = (turned(means, minus: 3), turned(deviations, minus: nil))
        }
        return [log(max(means[0], least)), log(max(means[1], least)), means[3], means[4]]
            + [deviations[0], deviations[1], deviations[3], deviations[4]]
    }

    func form(_ character: Int, isDown: Bool) -> Form { isDown ? down[character] : across[character] }

    /// How well a form fits a character. `measured`: lengths along and across the line, place across it, largest gap.
    func fit(_ measured: [Double], _ character: Int, isDown: Bool) -> Double {
        let form = form(character, isDown: isDown)
        let values = [log(max(measured[0], Self.least)), log(max(measured[1], Self.least)), measured[2], measured[3]]
        var sum = 0.0
        for k in 0..<4 {
            let z = (values[k] - form[k]) / form[4 + k]
            sum += 2.5 * log1p(z * z / 4) + log(form[4 + k] / 0.2)
        }
        return -sum
    }

    /// The logarithm of the probability that a character follows another.
    func logProbability(of second: Int, after first: Int) -> Double {
        var (low, high) = (starts[first], starts[first + 1])
        while low < high {
            let middle = (low + high) / 2
            if Int(seconds[middle]) < second { low = middle + 1 } else { high = middle }
        }
        let isListed = low < starts[first + 1] && Int(seconds[low]) == second
        return max(isListed ? values[low] : factors[first] + shares[second], Self.rarest)
    }
}

/// Why lines are not read.
public enum LineError: Error, Equatable {
    /// The network is not the bundled one, whose characters the tables are about.
    case otherLabels(expected: Int, found: Int)
}
