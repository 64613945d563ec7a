/// Every text of the app, in English; `Localizable.xcstrings` holds each with its Japanese. %1$@, %2$@ … stand for what
/// is filled in.
public enum Phrase: String, CaseIterable, Sendable {
    // Tabs and titles
    case draw = "Draw"
    case practice = "Practice"
    case samples = "Samples"
    case settings = "Settings"
    // Canvas
    case canvas = "Canvas"
    case canvasHint = "Draw one character with a finger or a pencil."
    case strokes = "Strokes: %1$@"
    case undo = "Undo"
    case redo = "Redo"
    case clear = "Clear"
    case cleared = "Cleared"
    // Reading
    case almostCertain = "almost certain"
    case likely = "likely"
    case possible = "possible"
    case unlikely = "unlikely"
    case readAs = "%1$@, %2$@"
    case nothingDrawn = "Draw a kana."
    case noCharacter = "This is no character."
    case cannotRead = "I cannot read this. Please write it once more."
    case reading = "Reading…"
    case candidates = "Candidates"
    case another = "Another…"
    case meant = "What did you mean?"
    case kept = "Kept as %1$@"
    case tell = "What is this?"
    case popUpTitle = "Your character"
    case close = "Close"
    case dismiss = "OK"
    case trouble = "The model gave no answer: %1$@"
    case modelMissing = "There is no model in this app. Run make ios-model in the project's folder, then build again."
    case tableMissing =
        "There are no strokes in this app. Run make ios-resources in the project's folder, then build again."
    // Practice
    case writeSound = "Write “%1$@”"
    case writeKatakanaSound = "Write “%1$@” in katakana"
    case writeInWord = "Write the missing kana: %1$@"
    case writeShown = "Write %1$@"
    case listen = "Listen"
    case check = "Check"
    case unknown = "I do not know"
    case next = "Next"
    case right = "Right: %1$@"
    case wrong = "I read %1$@. Try once more."
    case missed = "I read %1$@. The answer is %2$@; it will come back."
    case given = "The answer is %1$@; it will come back."
    case otherSize = "I read %1$@. Write it in the other size."
    case adviceCount = "Strokes: %1$@, usually %2$@"
    case adviceOrder = "Stroke %1$@ is usually number %2$@"
    case adviceDirection = "Stroke %1$@ is usually drawn from its other end"
    case due = "Due today: %1$@"
    case allDone = "Nothing is due today."
    case practiseAnyway = "Practise anyway"
    // Samples
    case samplesEmpty = "Corrections that you make are listed here."
    case samplesOff = "Corrections are not kept. You can turn this on in Settings."
    case share = "Share"
    case delete = "Delete"
    case deleteAll = "Delete all"
    case deleteAllQuestion = "Delete all samples? This cannot be undone."
    case sampleRow = "%1$@, read as %2$@"
    // Settings
    case characters = "Characters"
    case hiragana = "Hiragana"
    case katakana = "Katakana"
    case bothScripts = "Hiragana and katakana"
    case practiceBy = "Practise by"
    case bySound = "Sound"
    case byBlank = "Sight, empty canvas"
    case byOutline = "Sight, outline"
    case byTrace = "Sight, tracing"
    case showGrid = "Guide lines"
    case showPopUp = "Answer in a pop-up"
    case leftHanded = "Buttons on the left"
    case keepSamples = "Keep corrections on this device"
    case keepSamplesWhy =
        "Your strokes and the character that you meant stay on this device until you share or delete them."
    case privacy = "This app uses no network."
    case strokesFrom = "Stroke order: %1$@"
    case modelReads = "The model reads %1$@ characters."
    case deviceCheck = "Check this device"
    case deviceCheckWhy =
        "Reads every kana with each choice of compute units: how many are read right, how long one takes, and how far the probabilities are from the first."
    case run = "Run"
    case checkRow = "%1$@: %2$@ of %3$@ right, %4$@ ms, %5$@ apart"
    case checkFailed = "%1$@: %2$@"
}

/// A text to be told: a phrase with what fills it, or a text as it is.
public indirect enum Wording: Equatable, Sendable {
    case phrase(Phrase, [Wording])
    case verbatim(String)

    public static func phrase(_ phrase: Phrase, _ filled: String...) -> Wording {
        .phrase(phrase, filled.map { .verbatim($0) })
    }

    /// The text in the language that `translated` gives: "%1$@" is replaced by the first filling, and so on, in one
    /// pass, so that nothing in a filling is taken for a place.
    public func text(_ translated: (Phrase) -> String) -> String {
        switch self {
        case .verbatim(let text): return text
        case .phrase(let phrase, let filled):
            let fillings = filled.map { $0.text(translated) }
            var out = ""
            var rest = Substring(translated(phrase))
            while let mark = rest.firstIndex(of: "%") {
                out += rest[..<mark]
                rest = rest[mark...]
                let place = rest.dropFirst().prefix { $0.isNumber }
                let isPlace = rest.dropFirst(1 + place.count).hasPrefix("$@")
                if isPlace, let number = Int(place), fillings.indices.contains(number - 1) {
                    out += fillings[number - 1]
                    rest = rest.dropFirst(place.count + 3)
                } else {
                    out += rest.prefix(1)
                    rest = rest.dropFirst()
                }
            }
            return out + rest
        }
    }
}

extension Confidence {
    public var phrase: Phrase {
        switch self {
        case .almostCertain: return .almostCertain
        case .likely: return .likely
        case .possible: return .possible
        case .unlikely: return .unlikely
        }
    }
}

extension Answer {
    /// The character and how sure the model is, for a button and for VoiceOver.
    public var wording: Wording {
        .phrase(.readAs, [.verbatim(label), .phrase(Confidence(probability).phrase, [])])
    }
}

extension Verdict {
    /// What is told of a reading; `isEmpty`: whether there is no stroke at all.
    public func wording(isEmpty: Bool) -> Wording {
        switch self {
        case .nothing: return .phrase(isEmpty ? .nothingDrawn : .noCharacter, [])
        case .unsure: return .phrase(.cannotRead, [])
        case .read(let answers): return answers.first?.wording ?? .phrase(.cannotRead, [])
        }
    }
}

extension PracticeTask {
    /// What is asked.
    public var prompt: Wording {
        guard mode == .sound else { return .phrase(.writeShown, character) }
        if let gap = kana.gap { return .phrase(.writeInWord, gap) }
        return .phrase(kana.script == .katakana ? .writeKatakanaSound : .writeSound, kana.sound)
    }

    /// What is told of the last attempt, nil before the first.
    public var told: Wording? {
        switch outcome {
        case nil: return nil
        case .right: return .phrase(.right, character)
        case .otherSize(let read): return .phrase(.otherSize, read)
        case .wrong(let read): return .phrase(.wrong, read)
        case .missed(let read): return .phrase(.missed, read, character)
        case .given: return .phrase(.given, character)
        case .unreadable: return .phrase(.cannotRead, [])
        case .nothing: return .phrase(.nothingDrawn, [])
        }
    }
}

extension StrokeAdvice {
    public var wording: Wording {
        switch self {
        case .count(let drawn, let usual): return .phrase(.adviceCount, "\(drawn)", "\(usual)")
        case .order(let drawn, let usual): return .phrase(.adviceOrder, "\(drawn)", "\(usual)")
        case .direction(let stroke): return .phrase(.adviceDirection, "\(stroke)")
        }
    }
}

extension Script {
    public var phrase: Phrase {
        switch self {
        case .hiragana: return .hiragana
        case .katakana: return .katakana
        case .kana: return .bothScripts
        }
    }
}

extension PracticeMode {
    public var phrase: Phrase {
        switch self {
        case .sound: return .bySound
        case .blank: return .byBlank
        case .outline: return .byOutline
        case .trace: return .byTrace
        }
    }
}
