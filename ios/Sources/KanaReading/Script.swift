import Foundation

/// Which characters compete for the answer: all of a script, as `script_of` in `fastetl/data/charset.py` says, small
/// ones and ー too. Python's charsets `hiragana` and `katakana` have neither.
public enum Script: String, CaseIterable, Codable, Sendable {
    case hiragana
    case katakana
    case kana
    /// Everything that the model knows.
    case japanese

    /// Whether a character belongs to the script. ー belongs to both kana, ゝ and ヽ to neither.
    public func holds(_ character: String) -> Bool {
        guard self != .japanese else { return true }
        guard let scalar = character.unicodeScalars.first, character.unicodeScalars.count == 1 else { return false }
        let isHiragana = (0x3041...0x3096).contains(scalar.value)
        let isKatakana = (0x30A1...0x30FA).contains(scalar.value)
        let isLongMark = scalar.value == 0x30FC
        switch self {
        case .hiragana: return isHiragana || isLongMark
        case .katakana: return isKatakana || isLongMark
        default: return isHiragana || isKatakana || isLongMark
        }
    }

    /// Characters that are written alike, so that only the text around them distinguishes them: `SHAPES` in
    /// `fastetl/data/charset.py`.
    static let shapes = [
        "へヘ", "べベ", "ぺペ", "りリ", "ー一-", "ニ二=", "カ力", "ロ口囗", "タ夕", "エ工", "ハ八", "ト卜", "オ才", "ヒ匕",
        "ム厶", "ヨ彐", "ノ丿/", "0O〇", "1lI丨", "X×", "十+", "、,丶", "ゝヽ", "ゞヾ", "・.",
    ]
    private static let firstOfShape = Dictionary(
        uniqueKeysWithValues: shapes.flatMap { group in group.map { (String($0), String(group.prefix(1))) } })

    /// The character that stands for all that are written alike: へ for ヘ.
    public static func shape(_ character: String) -> String { firstOfShape[character] ?? character }

    /// The character that stands for all that are written alike in any size: つ for っ, X for x.
    package static func shapeOfAnySize(_ character: String) -> String {
        shape(ofLargeSize(shape(character)))
    }

    /// The large form of a small character: つ for っ, X for x.
    package static func ofLargeSize(_ character: String) -> String {
        large[character] ?? largeLetters[character] ?? character
    }

    /// Characters that differ from a capital letter only by their size and position, with that letter.
    private static let largeLetters = Dictionary(
        uniqueKeysWithValues: zip("ckopsuvwxyz。", "CKOPSUVWXYZO").map { (String($0), String($1)) })

    /// Each small kana with the large one of the same form.
    public static let large: [String: String] = Dictionary(
        uniqueKeysWithValues: zip("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ").map {
            (String($0), String($1))
        })

    /// By how much the log odds of a small kana rise for each height that the ink is lower: `LOWNESS_WEIGHT` and
    /// `LOWNESS_MARGIN` in `export/recognizer.py`.
    static let (lownessWeight, lownessMargin) = (20.0, 0.04)

    /// Give っ more of the probability of っ and つ, likewise for every small kana, the lower the ink of a canvas stands.
    static func weigh(_ probabilities: inout [String: Double], lowness: Double, _ competes: (String) -> Bool) {
        for (small, large) in large where competes(small) && competes(large) {
            guard let ofSmall = probabilities[small], let ofLarge = probabilities[large] else { continue }
            let weighedSmall = ofSmall * exp(lownessWeight * (lowness + lownessMargin))
            let scale = (ofSmall + ofLarge) / max(weighedSmall + ofLarge, 1e-30)
            probabilities[small] = weighedSmall * scale
            probabilities[large] = ofLarge * scale
        }
    }

    /// Whether two characters differ in nothing but their size (っ and つ).
    public static func differInSizeAlone(_ a: String, _ b: String) -> Bool {
        a != b && (large[a] ?? a) == (large[b] ?? b)
    }
}
