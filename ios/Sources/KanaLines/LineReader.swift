import Foundation
import KanaInk
import KanaReading

/// A character of a line.
public struct LineCharacter: Equatable, Sendable, Identifiable {
    public let label: String
    /// 0–1.
    public let confidence: Double
    /// What it may be, likeliest first, itself among it.
    public let alternatives: [Answer]
    /// The places of its strokes in the drawing.
    public let strokes: [Int]
    /// On the canvas.
    public let left, top, right, bottom: Double
    /// Whether the writer left a wide gap before it.
    public let isAfterSpace: Bool

    public var id: [Int] { strokes }
    /// Whether it can be taken for right: other texts are less likely, and its ink may be it to the network.
    public let isSure: Bool
}

/// What a line says.
public struct LineText: Equatable, Sendable {
    public let characters: [LineCharacter]
    public let isDown: Bool

    /// With spaces where the writer left wide gaps.
    public var text: String { characters.map { ($0.isAfterSpace ? " " : "") + $0.label }.joined() }
}

/// Reads words and lines of strokes, across and down: the ink is parted wherever a character may end, each span of
/// parts is shown to the network, and the best path through them is the text. As `Recognizer.read_line` in Python
/// (`export/line_reading.py`), number for number.
public actor LineReader {
    /// Height of a line, in pixels of the pictures that the network is shown.
    private static let lineHeight = 92.0
    /// Size of the writing (the side of a character's box), in heights of a line.
    private static let writingSize = 1.15
    /// Least side of a span's picture, in lengths of the span.
    private static let minWindow = 1.1
    /// Most candidates of a span.
    private static let maxCandidates = 16
    /// A gap is a space if it exceeds the line's median gap by this, in sizes of the writing.
    private static let spaceGap = 0.75
    /// By how much the score of each character of text that is no Japanese is raised before it is compared.
    private static let foreignBonus = 0.5
    /// Values of `LineGeometry.stretch` from which a line is fitted; the likelier outcome is taken.
    private static let firstStretches = [1, 0.7]

    /// Least probability, to the network, that the ink of a sure character is one of its shape.
    private static let minShown = 0.003
    /// Probability of what may be alone on its line.
    private static let minAlone = 0.5

    private let reader: any CharacterReading
    private var known: Known?

    /// `reader`: of the bundled network, whose characters the tables are about.
    public init(reader: any CharacterReading) { self.reader = reader }

    /// The lines of a drawing in reading order. `script`: what competes.
    ///
    /// Throws `LineError`, `CancellationError`, and what the network throws.
    public func read(_ drawing: Drawing, script: Script = .japanese) async throws -> [LineText] {
        try await read(drawing) { script.holds($0) }
    }

    /// The lines of a drawing on which only some characters can be meant: digits, or the kanji of a lesson.
    ///
    /// Throws `VerdictError.otherCharacters`, too, if there are none, or if the network does not know one.
    public func read(_ drawing: Drawing, among characters: Set<String>) async throws -> [LineText] {
        try await reader.facts().require(characters)
        return try await read(drawing) { characters.contains($0) }
    }

    private func read(_ drawing: Drawing, competes: (String) -> Bool) async throws -> [LineText] {
        let drawn = drawing.strokes.indices.filter { drawing.strokes[$0].count > 0 }
        let strokes = drawn.map { drawing.strokes[$0] }
        // The default pen is that of one character on the whole canvas.
        let (bare, side) = (strokes.map { InkBox($0, reach: 0) }, max(drawing.width, drawing.height))
        let thickest = max(0.15 * LineLayout.weightedMedianExtent(bare) / side, 1e-5)
        let reach = min(drawing.pen, thickest) * side / 2
        let underlined = LineLayout.underlines(strokes.map { InkBox($0, reach: reach) }, strokes)
        let places = zip(drawn, underlined).filter { !$1 }.map { $0.0 }
        guard !places.isEmpty else { return [] }
        let known = try await known()
        var boxes = places.map { InkBox(drawing.strokes[$0], reach: reach) }
        let isDown = LineLayout.isDown(boxes)
        if isDown { boxes = boxes.map(\.turned) }
        var lines: [LineText] = []
        for row in LineLayout.lineMembers(boxes).map({ $0.sorted() }) {
            let line = Line(
                row.map { drawing.strokes[places[$0]] }, row.map { boxes[$0] }, pen: 2 * reach, isDown, known.tables)
            lines.append(try await read(line, strokes: row.map { places[$0] }, known, competes))
        }
        return lines.filter { !$0.characters.isEmpty }
    }

    private func known() async throws -> Known {
        if let known { return known }
        let new = try Known(try await reader.facts())
        known = new
        return new
    }

    private func read(
        _ line: Line, strokes: [Int], _ known: Known, _ competes: (String) -> Bool
    ) async throws -> LineText {
        var likely: [[Double]] = []
        for span in line.path.spans.indices {
            try Task.checkCancellation()
            likely.append(known.ordered(try await reader.probabilities(of: line.picture(span))))
        }
        // Of lines that run down, single atoms are shown turned, too: ー lies on its side there.
        if line.path.isDown {
            for (k, span) in line.path.spans.enumerated() {
                try Task.checkCancellation()
                let turned =
                    span.count == 1
                    ? known.ordered(try await reader.probabilities(of: line.picture(k).turned)) : nil
                for lying in known.lying { likely[k][lying] = turned?[lying] ?? 0 }
                let sum = max(likely[k].reduce(0, +), 1e-9)
                likely[k] = likely[k].map { $0 / sum }
            }
        }
        var candidates = likely.map { known.candidates($0, competes, most: Self.maxCandidates) }
        line.path.addBeyondPart(to: &candidates, size: Self.writingSize * Self.lineHeight)
        var outcome: (choices: [LinePath.Choice], geometry: LineGeometry) = ([], line.geometry)
        for stretch in Self.firstStretches {
            var geometry = line.geometry
            (geometry.size, geometry.stretch) = (Self.writingSize * Self.lineHeight, stretch)
            // Read once with a guess at the geometry, then again with that of the characters that were read.
            let first = line.path.best(candidates, geometry)
            let forms = first.map {
                known.tables.form(candidates[$0.span].characters[$0.candidate], isDown: line.path.isDown)
            }
            if !first.isEmpty { geometry.fit(first.map { line.path.boxes[$0.span] }, forms) }
            let choices = line.path.best(candidates, geometry)
            if outcome.choices.isEmpty || choices.score > outcome.choices.score { outcome = (choices, geometry) }
        }
        // い alone is as high as its line, and so are its two strokes: fit the line to what all ink is taken for.
        if let span = line.path.spans.firstIndex(of: 0...(line.groups.count - 1)),
            candidates[span].logShape[0] > log(Self.minAlone)
        {
            var geometry = line.geometry
            geometry.size = Self.writingSize * Self.lineHeight
            let form = known.tables.form(candidates[span].characters[0], isDown: line.path.isDown)
            geometry.fit([line.path.boxes[span]], [form])
            let choices = line.path.best(candidates, geometry)
            if choices.score > outcome.choices.score { outcome = (choices, geometry) }
        }
        let geometry = outcome.geometry
        // Text that is no Japanese scores higher without the bigrams.
        let plain = line.path.best(candidates, geometry, isPlain: true)
        let isForeign = plain.score + Self.foreignBonus * Double(plain.count) > outcome.choices.score
        let choices = isForeign ? plain : outcome.choices
        let boxes = choices.map { line.path.boxes[$0.span] }
        let gaps = zip(boxes, boxes.dropFirst()).map { $1.left - $0.right }
        let wide = Self.spaceGap * geometry.size + (gaps.isEmpty ? 0 : max(quantile(gaps, 0.5), 0))
        let characters = zip(choices, [0] + gaps).map { choice, gap in
            let best = choice.scores[choice.candidate]
            let odds = choice.scores.map { exp(min($0 - best, 0)) }
            let sum = odds.reduce(0, +) + exp(min(choice.rival - best, 50))
            let answers = zip(candidates[choice.span].characters, odds).map {
                Answer(label: known.characters[$0], probability: $1 / sum)
            }
            let box = line.onCanvas(line.path.boxes[choice.span])
            let confidence = answers[choice.candidate].probability
            let isSeen = candidates[choice.span].logShape[choice.candidate] >= log(Self.minShown)
            return LineCharacter(
                label: answers[choice.candidate].label, confidence: confidence,
                alternatives: Array(answers.sorted { $0.probability > $1.probability }.prefix(Verdict.most)),
                strokes: line.members(choice.span).map { strokes[$0] }.sorted(),
                left: box.left, top: box.top, right: box.right, bottom: box.bottom, isAfterSpace: gap > wide,
                isSure: confidence >= 0.5 && isSeen)
        }
        return LineText(characters: characters, isDown: line.path.isDown)
    }

    /// A line in coordinates in which it runs across and is `size` high.
    private struct Line {
        let strokes: [Stroke]
        let groups: [[Int]]
        let path: LinePath
        let geometry: LineGeometry
        let zoom, pen: Double

        /// `strokes` in the order of time; `boxes` as of a line that runs across.
        init(_ strokes: [Stroke], _ boxes: [InkBox], pen: Double, _ isDown: Bool, _ tables: LineTables) {
            (self.strokes, self.pen) = (strokes, pen)
            zoom = LineReader.lineHeight / LineLayout.size(of: boxes)
            let boxes = boxes.map { [zoom] in $0.scaled(zoom) }
            groups = LineLayout.atoms(boxes)
            path = LinePath(
                tables: tables, atoms: groups.map { InkBox($0.map { boxes[$0] }) }, strokes: groups.map(\.count),
                size: LineReader.lineHeight, isDown: isDown)
            geometry = LineGeometry(boxes, size: LineReader.lineHeight)
        }

        /// The strokes of a span.
        func members(_ span: Int) -> [Int] { groups[path.spans[span]].flatMap { $0 } }

        func picture(_ span: Int) throws -> Picture {
            let (box, along) = (path.boxes[span], path.boxes[span].x)
            let side = max(Double(Rasterizer.side), LineReader.minWindow * box.width)
            let across = geometry.middle + geometry.slope * along
            let (x, y) = path.isDown ? (-across, along) : (along, across)
            let shown = members(span).map { k in
                strokes[k].mapped({ $0 * zoom - x + side / 2 }, { $0 * zoom - y + side / 2 })
            }
            return Rasterizer.picture(
                of: try Drawing(width: side, height: side, strokes: shown, pen: min(max(pen * zoom / side, 1e-5), 0.5)))
        }

        func onCanvas(_ box: InkBox) -> InkBox { (path.isDown ? box.unturned : box).scaled(1 / zoom) }
    }
}

extension [LinePath.Choice] {
    /// The score of the path.
    fileprivate var score: Double { first.map { $0.scores[$0.candidate] } ?? -.infinity }
}

extension Picture {
    /// A quarter to the left.
    fileprivate var turned: Picture {
        Picture(side: side, pixels: (0..<(side * side)).map { pixels[($0 % side) * side + side - 1 - $0 / side] })
    }
}

/// The network's characters, and the tables about them.
private struct Known {
    private static let minPunctuation = 0.05

    let tables: LineTables
    let characters: [String]
    let noCharacter: String
    /// Characters that lie on their side in lines that run down.
    let lying: [Int]
    /// To the network a dot is no character, and an open ring is a つ: size and position tell what it is.
    private let marks: Set<Int>
    /// For each character, a number that it shares with all that are written alike, and one with those that differ only in
    /// size.
    private let groups, sizes: [Int]

    init(_ facts: ModelFacts) throws {
        (characters, noCharacter) = (facts.characters, facts.noCharacter)
        tables = try LineTables(characters)
        lying = characters.indices.filter { [characters] in LineTables.turned.contains(characters[$0]) }
        marks = Set(characters.indices.filter { [characters] in "、。・,.".contains(characters[$0]) })
        func numbered(_ names: [String]) -> [Int] {
            var numbers: [String: Int] = [:]
            return names.map { name in
                let number = numbers[name] ?? numbers.count
                numbers[name] = number
                return number
            }
        }
        (groups, sizes) = (
            numbered(characters.map(Script.shapeOfAnySize)), numbered(characters.map(Script.ofLargeSize))
        )
    }

    /// In the order of the characters; the last is no character's. How often a script occurs is in the network's answers
    /// and in the table of bigrams: once is enough.
    func ordered(_ probabilities: [String: Double]) -> [Double] {
        let likely = zip(characters + [noCharacter], tables.prior).map { (probabilities[$0] ?? 0) / $1 }
        let sum = max(likely.reduce(0, +), 1e-9)
        return likely.map { $0 / sum }
    }

    func candidates(_ likely: [Double], _ competes: (String) -> Bool, most: Int) -> LinePath.Candidates {
        var (pooled, sized) = ([Double](repeating: 0, count: groups.count), [Double](repeating: 0, count: groups.count))
        for (k, (group, size)) in zip(groups, sizes).enumerated() {
            pooled[group] += likely[k]
            sized[size] += likely[k]
        }
        func of(_ sums: [Double], _ names: [Int], _ k: Int) -> Double {
            marks.contains(k) ? max(sums[names[k]], likely[characters.count], Self.minPunctuation) : sums[names[k]]
        }
        var best: [(key: Double, character: Int)] = []
        for k in characters.indices {
            let key = of(pooled, groups, k) + 1e-3 * of(sized, sizes, k) + 1e-6 * likely[k]
            if best.count == most, key <= best[most - 1].key { continue }
            guard competes(characters[k]) else { continue }
            best.insert((key, k), at: best.firstIndex { $0.key < key } ?? best.count)
            if best.count > most { best.removeLast() }
        }
        let chosen = best.map(\.character)
        let shape = chosen.map { of(pooled, groups, $0) }
        return LinePath.Candidates(
            characters: chosen, logShape: shape.map { log(max($0, 1e-6)) },
            logShare: zip(chosen, shape).map { min(max(log(max(of(sized, sizes, $0), 1e-9) / max($1, 1e-9)), -3), 0) })
    }
}
