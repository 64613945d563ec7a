/// Which characters compete for the answer.
public enum Script: String, CaseIterable, Codable, Sendable {
    case hiragana
    case katakana
    case kana

    /// Whether a character belongs to it. ー is of both scripts.
    public func holds(_ character: String) -> Bool {
        guard let scalar = character.unicodeScalars.first, character.unicodeScalars.count == 1 else { return false }
        let hiragana = (0x3041...0x3096).contains(scalar.value)
        let katakana = (0x30A1...0x30FA).contains(scalar.value)
        let long = scalar.value == 0x30FC
        switch self {
        case .hiragana: return hiragana || long
        case .katakana: return katakana || long
        case .kana: return hiragana || katakana || long
        }
    }

    /// The katakana whose shape is that of a hiragana, by hiragana: nobody writes them differently.
    public static let sameShape = ["へ": "ヘ", "べ": "ベ", "ぺ": "ペ"]

    /// Each small kana with the large one of the same form.
    public static let large: [String: String] = Dictionary(
        uniqueKeysWithValues: zip("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ", "あいうえおつやゆよわアイウエオツヤユヨワカケ").map {
            (String($0), String($1))
        })

    /// Whether two characters differ in nothing but their size (っ and つ).
    public static func differInSizeAlone(_ a: String, _ b: String) -> Bool {
        a != b && (large[a] ?? a) == (large[b] ?? b)
    }
}
