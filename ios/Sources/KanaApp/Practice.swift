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

/// What became of one attempt.
public enum Outcome: Equatable, Sendable {
    case right
    /// Right but for the size (つ for っ); no miss, and told once: the network tells sizes badly, so that a second one
    /// is taken for right.
    case otherSize(read: String)
    /// The first miss.
    case wrong(read: String)
    /// The second miss: the answer is shown.
    case missed(read: String)
    /// The answer was asked for.
    case given
    /// Nothing that can be read with confidence; no miss.
    case unreadable
    /// No ink, or a speck; no miss.
    case nothing

    /// Whether the character is done with, and the next may come.
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
    public static let mostMisses = 2

    public let kana: Kana
    public let mode: PracticeMode
    public private(set) var misses = 0
    public private(set) var outcome: Outcome?
    private var toldSize = false

    public init(kana: Kana, mode: PracticeMode) {
        self.kana = kana
        self.mode = mode
    }

    public var character: String { kana.character }
    /// What is said aloud: the word, or the character.
    public var spoken: String { kana.word.isEmpty ? character : kana.word }
    public var isFinished: Bool { outcome?.isFinal ?? false }
    /// The answer may be seen: it was shown from the beginning, or the task is finished.
    public var showsCharacter: Bool { mode != .sound || isFinished }

    /// Judge an attempt. After the task is finished nothing changes any more.
    @discardableResult
    public mutating func attempt(_ verdict: Verdict) -> Outcome {
        if let outcome, outcome.isFinal { return outcome }
        let judged = judge(verdict)
        if case .wrong = judged { misses += 1 }
        if case .otherSize = judged { toldSize = true }
        if case .wrong(let read) = judged, misses >= Self.mostMisses {
            outcome = .missed(read: read)
        } else {
            outcome = judged
        }
        return outcome ?? judged
    }

    /// Give the answer: as if it had been missed.
    public mutating func give() {
        guard !isFinished else { return }
        misses = Self.mostMisses
        outcome = .given
    }

    private func judge(_ verdict: Verdict) -> Outcome {
        switch verdict {
        case .nothing: return .nothing
        case .unsure(let answers):
            // The character that was asked is believed with less.
            return answers.first.map { isAsked($0.label) } ?? false ? .right : .unreadable
        case .read(let answers):
            guard let read = answers.first?.label else { return .nothing }
            if isAsked(read) { return .right }
            guard Script.differInSizeAlone(read, character) else { return .wrong(read: read) }
            return toldSize ? .right : .otherSize(read: read)
        }
    }

    private func isAsked(_ read: String) -> Bool {
        Script.shape(read) == Script.shape(character)
    }
}
