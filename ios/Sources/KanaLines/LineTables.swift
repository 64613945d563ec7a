import Foundation
import KanaInk
import KanaLineTables
import KanaReading

/// What is known of Japanese without a network: which characters follow which, how large each is on a line and where,
/// and what that counts. The heads of `fastetl/lines/bigrams.py` and `shapes.py` describe the files.
struct LineTables: Sendable {
    /// Means of four measures of a character, then their standard deviations: log length along and log length across
    /// the line, offset across it from the line's middle, largest inner gap along it. In sizes of the writing.
    typealias Form = [Double]

    /// Characters that lie on their side in lines that run down.
    static let lying: Set<String> = Set("ー〜…-=()「」『』".map { String($0) })
    /// How far a character moves to the upper right in lines that run down, in sizes of the writing.
    private static let corner = Dictionary(uniqueKeysWithValues: "、。,.".map { (String($0), 0.5) })
        .merging(Script.large.mapValues { _ in 0.14 }) { first, _ in first }
    /// Lengths below this, in sizes of the writing, count as this.
    private static let minLength = 0.02
    /// Least log probability of a bigram: no word is impossible.
    private static let minBigram = -9.0
    /// Standard deviation that real writers' inner gaps have beyond the synthetic writers', in sizes of the writing.
    private static let unevenGap = 0.06
    private static let features = [
        "character", "shape", "share", "geometry", "excess", "gaps", "cuts", "beyond part", "missing strokes",
        "more strokes",
    ]
    private static let scriptNames = ["hiragana", "katakana", "kanji", "digit", "latin", "sign"]

    /// How much oftener than training the network expects each character.
    let prior: [Double]
    /// Weights of the features of `LinePath`, in their order.
    let weights: [Double]
    /// Weight of the log probability of a bigram.
    let bigramWeight: Double
    /// How many strokes each character has.
    let strokes: [Int]
    private let rowForms, columnForms: [Form]
    /// Of each character, and how many characters each has.
    private let scripts, sizes: [Int]
    /// Probability of each script after each.
    private let follows: [[Double]]
    private let shares, factors, values, beginnings: [Double]
    private let starts: [Int]
    private let seconds: [UInt16]

    /// `characters`: of the bundled network, in order.
    init(_ characters: [String]) throws {
        let table = [UInt8](try KanaLineTables.file("shapes.bin")).map { Int8(bitPattern: $0) }
        let shapes = table.map { Double($0) / 100 }
        let (bytes, count) = ([UInt8](try KanaLineTables.file("bigrams.bin")), characters.count)
        guard table.count == 13 * count else {
            throw LineError.otherLabels(expected: table.count / 13, found: count)
        }
        struct Fitted: Decodable {
            let features: [String: Double]
            let bigram: Double
            let prior: [String: Double]
        }
        let fitted = try JSONDecoder().decode(Fitted.self, from: KanaLineTables.file("weights.json"))
        weights = try Self.features.map { feature in
            guard let weight = fitted.features[feature] else { throw LineError.otherTables(missing: feature) }
            return weight
        }
        bigramWeight = fitted.bigram
        let rows = try JSONDecoder().decode([String: [Double]].self, from: KanaLineTables.file("follows.json"))
        follows = try Self.scriptNames.map { script in
            guard let row = rows[script] else { throw LineError.otherTables(missing: script) }
            return row
        }
        scripts = characters.map(Self.script) + [5]
        let priors = Self.scriptNames.map { fitted.prior[$0] ?? 1 }
        let smallPrior = fitted.prior["small"] ?? 1
        prior = characters.map { priors[Self.script($0)] * (Script.large[$0] == nil ? 1 : smallPrior) } + [1]
        sizes = (0...5).map { [scripts] script in scripts.filter { $0 == script }.count }
        func number(_ base: Int) -> UInt16 { UInt16(bytes[base]) | UInt16(bytes[base + 1]) << 8 }
        starts = (0..<count).reduce(into: [0]) { $0.append($0[$1] + Int(number(2 * count + 2 * $1))) }
        let total = starts[count]
        seconds = (0..<total).map { number(4 * count + 2 * $0) }
        func logarithms(_ base: Int, _ count: Int) -> [Double] { bytes[base..<(base + count)].map { -Double($0) / 16 } }
        (shares, factors) = (logarithms(0, count), logarithms(count, count))
        (values, beginnings) = (logarithms(4 * count + 2 * total, total), logarithms(4 * count + 3 * total, count))
        func forms(isDown: Bool) -> [Form] {
            characters.indices.map { Self.form(characters[$0], shapes[(13 * $0)..<(13 * $0 + 12)], isDown: isDown) }
        }
        strokes = (0..<count).map { Int(table[13 * $0 + 12]) }
        (rowForms, columnForms) = (forms(isDown: false), forms(isDown: true))
    }

    private static func script(_ character: String) -> Int {
        switch character.unicodeScalars.first?.value ?? 0 {
        case 0x3041...0x309F: return 0
        case 0x30A1...0x30FA, 0x30FC...0x30FF: return 1
        case 0x4E00...0x9FFF, 0x3005...0x3007: return 2
        case 0x30...0x39: return 3
        case 0x41...0x5A, 0x61...0x7A: return 4
        default: return 5
        }
    }

    private static func form(_ character: String, _ row: ArraySlice<Double>, isDown: Bool) -> Form {
        let isUpright = isDown && !lying.contains(character)
        let places = isUpright ? [1, 0, 2, 5] : [0, 1, 3, 4]
        var means = places.map { row[row.startIndex + $0] }
        var deviations = places.map { row[row.startIndex + 6 + $0] }
        if isUpright {
            let cornerShift = corner[character] ?? 0
            means[2] = -(means[2] + cornerShift)
            deviations[2] = hypot(deviations[2], cornerShift)  // not every writer moves them
        }
        return means[..<2].map { log(max($0, minLength)) } + means[2...] + deviations
    }

    func form(_ character: Int, isDown: Bool) -> Form { isDown ? columnForms[character] : rowForms[character] }

    /// How well a form fits a character. `measures`: lengths along and across the line, place across it, largest gap.
    func fit(_ measures: [Double], _ character: Int, _ geometry: LineGeometry, isDown: Bool) -> Double {
        let form = form(character, isDown: isDown)
        let length = log(max(measures[0], Self.minLength)) - form[0]
        let height = log(max(measures[1], Self.minLength)) - form[1]
        let sizeDeviation = hypot(form[4], form[5])
        // Size and slenderness are separate measures: a line's characters differ more in size than in slenderness.
        let residuals = [
            ((length + height) / 2, hypot(sizeDeviation / 2, geometry.uneven)), (length - height, sizeDeviation),
            (measures[2] - form[2], hypot(form[6], geometry.wander)),
            (measures[3] - form[3], hypot(form[7], Self.unevenGap)),
        ]
        return -residuals.reduce(0) { $0 + 2.5 * log1p($1.0 / $1.1 * $1.0 / $1.1 / 4) + log($1.1 / 0.2) }
    }

    /// The logarithm of the probability that a character follows another, or begins a line; by its script alone where
    /// the text is no Japanese.
    func logProbability(of second: Int, after first: Int?, isPlain: Bool) -> Double {
        if isPlain {
            let (firstScript, script) = (first.map { scripts[$0] } ?? 5, scripts[second])
            return log(follows[firstScript][script] / Double(sizes[script]))
        }
        guard let first else { return max(beginnings[second], Self.minBigram) }
        var (low, high) = (starts[first], starts[first + 1])
        while low < high {
            let middle = (low + high) / 2
            if Int(seconds[middle]) < second { low = middle + 1 } else { high = middle }
        }
        let isListed = low < starts[first + 1] && Int(seconds[low]) == second
        return max(isListed ? values[low] : factors[first] + shares[second], Self.minBigram)
    }
}

/// Why lines are not read.
public enum LineError: KanaError, Equatable {
    /// The network is not the bundled one, whose characters the tables are about.
    case otherLabels(expected: Int, found: Int)
    /// The tables are of other features or scripts than the code's.
    case otherTables(missing: String)

    public var description: String {
        switch self {
        case .otherLabels(let expected, let found):
            return "lines: expected the bundled network of \(expected) characters, found \(found): use KanaNetwork"
        case .otherTables(let missing): return "lines: expected \(missing) in the tables: update the package"
        }
    }
}
