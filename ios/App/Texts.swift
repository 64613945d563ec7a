import Foundation
import KanaApp
import KanaReading

// Texts for the values of the logic, in the user's language.

extension Confidence {
    var text: String {
        switch self {
        case .almostCertain: return String(localized: "almost certain")
        case .likely: return String(localized: "likely")
        case .possible: return String(localized: "possible")
        case .unlikely: return String(localized: "unlikely")
        }
    }
}

extension Answer {
    /// The character and how sure the model is.
    var text: String { String(localized: "\(label), \(Confidence(probability).text)") }
}

extension Verdict {
    /// The text for a reading. `isEmpty`: whether there is no stroke at all.
    func text(isEmpty: Bool) -> String {
        switch self {
        case .nothing where isEmpty: return String(localized: "Draw a character.")
        case .nothing: return String(localized: "This is no character.")
        case .read(let answers) where !answers.isEmpty: return answers[0].text
        case .read, .unsure: return String(localized: "I cannot read this. Please write it once more.")
        }
    }
}

extension PracticeTask {
    /// The question.
    var prompt: String {
        guard mode == .sound else { return String(localized: "Write \(character)") }
        return kana.script == .katakana
            ? String(localized: "Write “\(kana.sound)” in katakana") : String(localized: "Write “\(kana.sound)”")
    }

    /// The word that is heard, if there is one: with a gap if its other kana are known, in Latin letters, and its meaning.
    func clue(isKnown: (String) -> Bool) -> String? {
        guard mode == .sound, !kana.word.isEmpty else { return nil }
        return [kana.gap(isKnown: isKnown) ?? "", kana.romaji, kana.meaning].filter { !$0.isEmpty }.joined(
            separator: " · ")
    }

    /// The text for the last attempt; nil before the first.
    var result: String? {
        switch outcome {
        case nil: return nil
        case .right: return String(localized: "Right: \(character)")
        case .otherSize(let read): return String(localized: "I read \(read). Write it in the other size.")
        case .wrong(let read): return String(localized: "I read \(read). Try once more.")
        case .missed(let read):
            return String(localized: "I read \(read). The answer is \(character); it will come back.")
        case .given: return String(localized: "The answer is \(character); it will come back.")
        case .unreadable: return String(localized: "I cannot read this. Please write it once more.")
        case .nothing: return String(localized: "Draw a character.")
        }
    }
}

extension StrokeAdvice {
    var text: String {
        switch self {
        case .count(let drawn, let usual):
            return String(localized: "Strokes: \(drawn.formatted()), usually \(usual.formatted())")
        case .order(let drawn, let usual):
            return String(localized: "Stroke \(drawn.formatted()) is usually number \(usual.formatted())")
        case .direction(let stroke):
            return String(localized: "Stroke \(stroke.formatted()) is usually drawn from its other end")
        }
    }
}

extension Script {
    var text: String {
        switch self {
        case .hiragana: return String(localized: "Hiragana")
        case .katakana: return String(localized: "Katakana")
        case .kana: return String(localized: "Hiragana and katakana")
        case .japanese: return String(localized: "Kana, kanji, letters, digits")
        }
    }
}

extension PracticeMode {
    var text: String {
        switch self {
        case .sound: return String(localized: "Sound")
        case .blank: return String(localized: "Sight, empty canvas")
        case .outline: return String(localized: "Sight, outline")
        case .trace: return String(localized: "Sight, tracing")
        }
    }
}

extension Trouble {
    var text: String {
        switch self {
        case .setAside(let file, let name):
            return String(localized: "\(file) cannot be understood. It is kept as \(name), and the app begins anew.")
        case .unreadable(let file):
            return String(
                localized: "\(file) cannot be opened. Until it can, nothing is saved over it: start the app again.")
        case .notSaved(let file, let why): return String(localized: "\(file) was not saved: \(why)")
        case .lines(let count):
            return String(localized: "Lines of the samples that are none: \(count.formatted()). They stay in the file.")
        }
    }
}
