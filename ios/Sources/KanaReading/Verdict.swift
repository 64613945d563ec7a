import KanaInk

/// A label and its probability, 0–1.
public struct Answer: Equatable, Sendable, Identifiable, Codable {
    public let label: String
    public let probability: Double

    public var id: String { label }

    public init(label: String, probability: Double) {
        self.label = label
        self.probability = probability
    }
}

/// The app's answer to a picture.
public enum Verdict: Equatable, Sendable {
    /// No character: nothing drawn yet, a speck, a filled canvas.
    case nothing
    /// The likeliest candidate is below the package's threshold, or none of those that compete. The candidates,
    /// likeliest first.
    case unsure([Answer])
    /// The candidates, likeliest first; the first is the answer.
    case read([Answer])

    /// Least probability that the characters that compete have together among all: with less, another one was written.
    private static let minCompeting = 0.01

    /// The most candidates there are.
    public static let maxCandidates = 5

    public var candidates: [Answer] {
        switch self {
        case .nothing: return []
        case .unsure(let answers), .read(let answers): return answers
        }
    }

    /// The character that was read; nil if none was.
    public var character: String? {
        guard case .read(let answers) = self else { return nil }
        return answers.first?.label
    }

    /// From the probabilities that the model gives (`classLabel_probs`).
    ///
    /// Only the characters of `script` and "no character" compete: their probabilities are scaled to sum to one.
    /// Characters that are written alike (へ and ヘ, ニ and 二) make one candidate, named by the likeliest, with the sum of
    /// their probabilities. If "no character" is the likeliest, the verdict is `nothing`.
    ///
    /// Throws `VerdictError` if labels or probabilities are not what the package promises.
    public init(probabilities: [String: Double], facts: ModelFacts, script: Script = .japanese) throws {
        try self.init(probabilities, facts) { script.holds($0) }
    }

    /// From probabilities, where only some characters can be meant: digits, or the kanji of a lesson.
    ///
    /// Throws `VerdictError.otherCharacters` if there are none, or if the model does not know one.
    public init(probabilities: [String: Double], facts: ModelFacts, among characters: Set<String>) throws {
        try facts.require(characters)
        try self.init(probabilities, facts) { characters.contains($0) }
    }

    init(_ probabilities: [String: Double], _ facts: ModelFacts, _ competes: (String) -> Bool) throws {
        guard probabilities.count == facts.labels.count, facts.labels.allSatisfy({ probabilities[$0] != nil }) else {
            throw VerdictError.otherLabels(
                missing: facts.labels.filter { probabilities[$0] == nil },
                unknown: probabilities.keys.filter { !facts.labels.contains($0) }.sorted())
        }
        guard probabilities.values.allSatisfy({ (0...1.001).contains($0) }) else { throw VerdictError.noProbability }
        let noneProbability = probabilities[facts.noCharacter] ?? 0
        var answers: [Answer] = []
        var likeliestOfShape: [String: (index: Int, probability: Double)] = [:]  // by shape
        for label in facts.characters where competes(label) {
            let probability = probabilities[label] ?? 0
            guard let first = likeliestOfShape[Script.shape(label)] else {
                likeliestOfShape[Script.shape(label)] = (answers.count, probability)
                answers.append(Answer(label: label, probability: probability))
                continue
            }
            let isLikelier = probability > first.probability
            if isLikelier { likeliestOfShape[Script.shape(label)] = (first.index, probability) }
            answers[first.index] = Answer(
                label: isLikelier ? label : answers[first.index].label,
                probability: answers[first.index].probability + probability)
        }
        let likeliest = answers.map(\.probability).max() ?? 0
        if noneProbability > 0, noneProbability >= likeliest {
            self = .nothing
            return
        }
        guard likeliest > 0 else {  // all of it is on other scripts
            self = .unsure([])
            return
        }
        let sum = answers.reduce(noneProbability) { $0 + $1.probability }
        // The order of the labels decides between equals, so that a picture always gives the same buttons.
        let order = answers.enumerated().sorted {
            ($0.element.probability, $1.offset) > ($1.element.probability, $0.offset)
        }
        let candidates = order.prefix(Self.maxCandidates).map {
            Answer(label: $0.element.label, probability: $0.element.probability / sum)
        }
        let shapes = Set(facts.characters.filter(competes).map(Script.shapeOfAnySize))
        let competitors = facts.characters.filter { shapes.contains(Script.shapeOfAnySize($0)) }
        let isForeign = competitors.reduce(noneProbability) { $0 + (probabilities[$1] ?? 0) } < Self.minCompeting
        self = candidates[0].probability < facts.threshold || isForeign ? .unsure(candidates) : .read(candidates)
    }
}

/// An answer that is not what the package promises.
public enum VerdictError: KanaError, Equatable {
    case otherLabels(missing: [String], unknown: [String])
    /// A number that is not between 0 and 1, or not finite.
    case noProbability
    /// Characters that were to compete, and that the model does not know; empty if none was to compete.
    case otherCharacters([String])

    public var description: String {
        switch self {
        case .otherLabels(let missing, let unknown):
            return "verdict: expected a probability of each label of the package, found \(missing.count) missing and "
                + "\(unknown.count) others: give the facts of the model that answered"
        case .otherCharacters(let unknown):
            return "verdict: expected characters that the model knows, found "
                + (unknown.isEmpty ? "none" : unknown.prefix(5).joined(separator: ", "))
        case .noProbability: return "verdict: expected probabilities of 0 to 1, found others"
        }
    }
}

/// A probability in words. The package's probabilities are calibrated: about nine in ten answers with 0.9 are right.
/// The bounds were chosen for reading. Whether there is an answer depends on the package's threshold alone.
public enum Confidence: String, CaseIterable, Sendable {
    case almostCertain
    case likely
    case possible
    case unlikely

    public init(_ probability: Double) {
        switch probability {
        case 0.95...: self = .almostCertain
        case 0.5...: self = .likely
        case 0.1...: self = .possible
        default: self = .unlikely
        }
    }
}
