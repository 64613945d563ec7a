import Foundation
import KanaInk
import KanaLines
import KanaNetwork
import KanaPhoto
import KanaReading

let stroke = Stroke([InkPoint(x: 30, y: 150), InkPoint(x: 270, y: 150)])
let picture = Rasterizer.picture(of: try Drawing(width: 300, height: 300, strokes: [stroke]))
let drawn = picture.pixels.map { 255 - $0 }
let photograph = try Photograph(width: picture.side, height: picture.side, pixels: drawn)
let facts = try ModelFacts(labels: ["一", "no character"], noCharacter: "no character", threshold: 0.5)
let verdict = try Verdict(probabilities: ["一": 0.9, "no character": 0.1], facts: facts, script: .japanese)
let files = try FileManager.default.contentsOfDirectory(atPath: KanaNetwork.model?.path ?? "nowhere").sorted()

/// A network of one character, which the tables of lines are not about: their file says so.
struct One: CharacterReading {
    func facts() -> ModelFacts { elsewhere.facts }
    func probabilities(of picture: Picture) -> [String: Double] { [:] }
}
do {
    _ = try await LineReader(reader: One()).read(try Drawing(width: 300, height: 300, strokes: [stroke]))
} catch LineError.otherLabels(let expected, let found) {
    print(expected, found)
}
print(verdict.character ?? "none", photograph.picture().pixels == drawn, files)
