import KanaInk
import KanaReading
import Testing

@testable import KanaApp

/// The practice file of the app.
@Suite struct PracticeFileTests {
    private func table() throws -> PracticeTable { try PracticeTable.bundled() }

    @Test func everyKanaHasStrokesAndASound() throws {
        let table = try table()
        #expect(table.characters(of: .hiragana).count >= 75 && table.characters(of: .katakana).count >= 75)
        #expect(table.attribution.contains("KanjiVG") && table.attribution.contains("CC BY-SA"))
        for kana in table.kana {
            #expect(kana.drawing != nil && !kana.sound.isEmpty, "\(kana.character)")
            #expect(kana.script.holds(kana.character), "\(kana.character)")
            #expect(kana.word.isEmpty || kana.gap { _ in true } != nil && !kana.romaji.isEmpty, "\(kana.character)")
        }
    }

    @Test func whatSoundsAlikeIsAskedInAWord() throws {
        for script in [Script.hiragana, .katakana] {
            let kana = try table().kana.filter { $0.script == script }
            for (sound, alike) in Dictionary(grouping: kana, by: \.sound) where alike.count > 1 {
                #expect(alike.allSatisfy { $0.gap { _ in true } != nil }, "\(sound)")
            }
        }
        for character in ["っ", "つ", "ッ", "ツ"] { #expect(try table().kana(character)?.gap { _ in true } != nil) }
    }

    @Test func nothingIsAdvisedOnTheUsualStrokes() throws {
        for kana in try table().kana {
            let drawing = try #require(kana.drawing)
            #expect(StrokeAdvice.advice(on: drawing, usual: kana.strokes) == [], "\(kana.character)")
        }
    }

    @Test func anotherOrderIsNoticed() throws {
        for kana in try table().kana where kana.strokes.count > 1 {
            let backwards = try Drawing(width: 1, height: 1, strokes: kana.strokes.reversed().map { Stroke($0) })
            let advice = StrokeAdvice.advice(on: backwards, usual: kana.strokes)
            #expect(advice.contains(.order(drawn: 1, usual: kana.strokes.count)), "\(kana.character)")
        }
    }
}
