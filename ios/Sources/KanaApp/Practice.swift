import KanaInk
import KanaReading

/// How a character is asked.
public enum PracticeMode: String, CaseIterable, Codable, Sendable {
    /// By its sound, on an empty canvas.
    case sound
    /// Shown beside an empty canvas.
    case blank
    /// Its outline is on the canvas.
    case outline
    /// Its strokes are on the canvas, numbered.
    case trace
}

/// The result of one attempt.
public enum Outcome: Equatable, Sendable {
    case right
    /// Right except for the size (つ for っ). It is no miss, and reported only once: the network distinguishes sizes
    /// badly, so a second attempt counts as right.
    case otherSize(read: String)
    /// The first miss.
    case wrong(read: String)
    /// The second miss: the answer is shown.
    case missed(read: String)
    /// The answer was asked for.
    case given
    /// The network is not sure of any character. It is no miss.
    case unreadable
    /// No ink, or a speck. It is no miss.
    case nothing

    /// Whether the character is finished, and the next one may be asked.
    public var isFinal: Bool {
        switch self {
        case .right, .missed, .given: return true
        case .otherSize, .wrong, .unreadable, .nothing: return false
        }
    }
}

/// One character being practised. The network alone decides what was written; no template is compared.
public struct PracticeTask: Equatable, Sendable {
    /// Misses after which the answer is shown.
    public static let maxMisses = 2

    public let kana: Kana
    public let mode: PracticeMode
    public private(set) var misses = 0
    public private(set) var outcome: Outcome?
    private var hasToldSize = false

    public init(kana: Kana, mode: PracticeMode) {
        self.kana = kana
        self.mode = mode
    }

    public var character: String { kana.character }
    /// What the device says aloud: the word, or the character if there is none.
    public var spoken: String { kana.word.isEmpty ? character : kana.word }
    public var isFinished: Bool { outcome?.isFinal ?? false }
    /// Whether the character may be shown: it was from the beginning, or the task is finished.
    public var showsCharacter: Bool { mode != .sound || isFinished }

    /// Judge an attempt. Once the task is finished, nothing changes any more.
    @discardableResult
    public mutating func attempt(_ verdict: Verdict) -> Outcome {
        if let outcome, outcome.isFinal { return outcome }
        let newOutcome = judge(verdict)
        if case .wrong = newOutcome { misses += 1 }
        if case .otherSize = newOutcome { hasToldSize = true }
        if case .wrong(let read) = newOutcome, misses >= Self.maxMisses {
            outcome = .missed(read: read)
        } else {
            outcome = newOutcome
        }
        return outcome ?? newOutcome
    }

    /// Show the answer; the character counts as missed.
    public mutating func give() {
        guard !isFinished else { return }
        misses = Self.maxMisses
        outcome = .given
    }

    private func judge(_ verdict: Verdict) -> Outcome {
        switch verdict {
        case .nothing: return .nothing
        case .unsure(let answers):
            // For the character that was asked, less confidence is enough.
            return answers.first.map { isAsked($0.label) } ?? false ? .right : .unreadable
        case .read(let answers):
            guard let read = answers.first?.label else { return .nothing }
            if isAsked(read) { return .right }
            guard Script.differInSizeAlone(read, character) else { return .wrong(read: read) }
            return hasToldSize ? .right : .otherSize(read: read)
        }
    }

    private func isAsked(_ read: String) -> Bool {
        Script.shape(read) == Script.shape(character)
    }
}
