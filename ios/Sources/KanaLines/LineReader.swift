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
    private var network: Network?

    /// `reader`: of the bundled network, whose characters the tables are about.
    public init(reader: any CharacterReading) { self.reader = reader }

    /// The lines of a drawing in reading order. `script`: what competes. `down`: whether they run down, in columns from
    /// right to left; nil finds it out. `plain`: without the table of which characters follow one another.
    ///
    /// Throws `LineError`, `CancellationError`, and what the network throws.
    public func read(
        _ drawing: Drawing, script: Script = .japanese, down: Bool? = nil, plain: Bool = false
    ) async throws -> [LineText] {
        try await read(drawing, down, plain) { script.holds($0) }
    }

    /// The lines of a drawing on which only some characters can be meant: digits, or the kanji of a lesson.
    ///
    /// Throws `VerdictError.otherCharacters`, too, if there are none, or if the network does not know one.
    public func read(
        _ drawing: Drawing, among characters: Set<String>, down: Bool? = nil, plain: Bool = false
    ) async throws -> [LineText] {
        try await reader.facts().require(characters)
        return try await read(drawing, down, plain) { characters.contains($0) }
    }

    private func read(
        _ drawing: Drawing, _ down: Bool?, _ plain: Bool, competes: (String) -> Bool
    ) async throws -> [LineText] {
        let drawnIndices = drawing.strokes.indices.filter { drawing.strokes[$0].count > 0 }
        let strokes = drawnIndices.map { drawing.strokes[$0] }
        // The default pen is that of one character on the whole canvas.
        let (bareBoxes, side) = (strokes.map { InkBox($0, reach: 0) }, max(drawing.width, drawing.height))
        let maxPen = max(0.15 * LineLayout.weightedMedianExtent(bareBoxes) / side, 1e-5)
        let reach = min(drawing.pen, maxPen) * side / 2
        let isUnderline = LineLayout.underlines(strokes.map { InkBox($0, reach: reach) }, strokes)
        let places = zip(drawnIndices, isUnderline).filter { !$1 }.map { $0.0 }
        guard !places.isEmpty else { return [] }
        let network = try await network()
        var boxes = places.map { InkBox(drawing.strokes[$0], reach: reach) }
        let isDown = down ?? LineLayout.runsDown(boxes)
        if isDown { boxes = boxes.map(\.turned) }
        var lines: [LineText] = []
        for row in LineLayout.lineMembers(boxes).map({ $0.sorted() }) {
            let line = Line(
                row.map { drawing.strokes[places[$0]] }, row.map { boxes[$0] }, pen: 2 * reach, isDown, network.tables)
            lines.append(try await read(line, strokes: row.map { places[$0] }, network, plain, competes))
        }
        return lines.filter { !$0.characters.isEmpty }
    }

    private func network() async throws -> Network {
        if let network { return network }
        let result = try Network(try await reader.facts())
        network = result
        return result
    }

    private func read(
        _ line: Line, strokes: [Int], _ network: Network, _ plain: Bool, _ competes: (String) -> Bool
    ) async throws -> LineText {
        var probabilities: [[Double]] = []
        for span in line.path.spans.indices {
            try Task.checkCancellation()
            probabilities.append(network.ordered(try await reader.probabilities(of: line.picture(span))))
        }
        // Of lines that run down, single atoms are shown turned, too: ー lies on its side there.
        if line.path.isDown {
            for (k, span) in line.path.spans.enumerated() {
                try Task.checkCancellation()
                let turnedAnswer =
                    span.count == 1
                    ? network.ordered(try await reader.probabilities(of: line.picture(k).turned)) : nil
                for label in network.lyingLabels { probabilities[k][label] = turnedAnswer?[label] ?? 0 }
                let sum = max(probabilities[k].reduce(0, +), 1e-9)
                probabilities[k] = probabilities[k].map { $0 / sum }
            }
        }
        var candidates = probabilities.map { network.candidates($0, competes, maxCount: Self.maxCandidates) }
        line.path.addBeyondPart(to: &candidates, size: Self.writingSize * Self.lineHeight)
        var outcome: (choices: [LinePath.Choice], geometry: LineGeometry) = ([], line.geometry)
        for stretch in Self.firstStretches {
            var geometry = line.geometry
            (geometry.size, geometry.stretch) = (Self.writingSize * Self.lineHeight, stretch)
            // Read once with a guess at the geometry, then again with that of the characters that were read.
            let first = line.path.best(candidates, geometry, isPlain: plain)
            let forms = first.map {
                network.tables.form(candidates[$0.span].characters[$0.candidate], isDown: line.path.isDown)
            }
            if !first.isEmpty { geometry.fit(first.map { line.path.boxes[$0.span] }, forms) }
            let choices = line.path.best(candidates, geometry, isPlain: plain)
            if outcome.choices.isEmpty || choices.score > outcome.choices.score { outcome = (choices, geometry) }
        }
        // い alone is as high as its line, and so are its two strokes: fit the line to what all ink is taken for.
        if let span = line.path.spans.firstIndex(of: 0...(line.groups.count - 1)),
            candidates[span].logShape[0] > log(Self.minAlone)
        {
            var geometry = line.geometry
            geometry.size = Self.writingSize * Self.lineHeight
            let form = network.tables.form(candidates[span].characters[0], isDown: line.path.isDown)
            geometry.fit([line.path.boxes[span]], [form])
            let choices = line.path.best(candidates, geometry, isPlain: plain)
            if choices.score > outcome.choices.score { outcome = (choices, geometry) }
        }
        let geometry = outcome.geometry
        // Text that is no Japanese scores higher without the bigrams.
        let foreignChoices = line.path.best(candidates, geometry, isPlain: true)
        let isForeign = foreignChoices.score + Self.foreignBonus * Double(foreignChoices.count) > outcome.choices.score
        let choices = isForeign ? foreignChoices : outcome.choices
        let boxes = choices.map { line.path.boxes[$0.span] }
        let gaps = zip(boxes, boxes.dropFirst()).map { $1.left - $0.right }
        let minSpace = Self.spaceGap * geometry.size + (gaps.isEmpty ? 0 : max(quantile(gaps, 0.5), 0))
        let characters = zip(choices, [0] + gaps).map { choice, gap in
            let bestScore = choice.scores[choice.candidate]
            let odds = choice.scores.map { exp(min($0 - bestScore, 0)) }
            let sum = odds.reduce(0, +) + exp(min(choice.rival - bestScore, 50))
            let answers = zip(candidates[choice.span].characters, odds).map {
                Answer(label: network.characters[$0], probability: $1 / sum)
            }
            let box = line.onCanvas(line.path.boxes[choice.span])
            let confidence = answers[choice.candidate].probability
            let isSeen = candidates[choice.span].logShape[choice.candidate] >= log(Self.minShown)
            return LineCharacter(
                label: answers[choice.candidate].label, confidence: confidence,
                alternatives: Array(answers.sorted { $0.probability > $1.probability }.prefix(Verdict.maxCandidates)),
                strokes: line.members(choice.span).map { strokes[$0] }.sorted(),
                left: box.left, top: box.top, right: box.right, bottom: box.bottom, isAfterSpace: gap > minSpace,
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
            let (box, x) = (path.boxes[span], path.boxes[span].x)
            let side = max(Double(Rasterizer.side), LineReader.minWindow * box.width)
            let y = geometry.middle + geometry.slope * x
            let (centreX, centreY) = path.isDown ? (-y, x) : (x, y)
            let parts = members(span).map { k in
                strokes[k].mapped({ $0 * zoom - centreX + side / 2 }, { $0 * zoom - centreY + side / 2 })
            }
            return Rasterizer.picture(
                of: try Drawing(width: side, height: side, strokes: parts, pen: min(max(pen * zoom / side, 1e-5), 0.5)))
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
private struct Network {
    private static let minPunctuation = 0.05

    let tables: LineTables
    let characters: [String]
    let noCharacter: String
    /// Characters that lie on their side in lines that run down.
    let lyingLabels: [Int]
    /// To the network a dot is no character, and an open ring is a つ: size and position tell what it is.
    private let marks: Set<Int>
    /// For each character, a number that it shares with all that are written alike, and one with those that differ only
    /// in size.
    private let groups, sizes: [Int]

    init(_ facts: ModelFacts) throws {
        (characters, noCharacter) = (facts.characters, facts.noCharacter)
        tables = try LineTables(characters)
        lyingLabels = characters.indices.filter { [characters] in LineTables.lying.contains(characters[$0]) }
        marks = Set(characters.indices.filter { [characters] in "、。・,.".contains(characters[$0]) })
        func classes(_ names: [String]) -> [Int] {
            var numbers: [String: Int] = [:]
            return names.map { name in
                let number = numbers[name] ?? numbers.count
                numbers[name] = number
                return number
            }
        }
        (groups, sizes) = (
            classes(characters.map(Script.shapeOfAnySize)), classes(characters.map(Script.ofLargeSize))
        )
    }

    /// In the order of the characters; the last is no character's. How often a script occurs is in the network's
    /// answers and in the table of bigrams: once is enough.
    func ordered(_ probabilities: [String: Double]) -> [Double] {
        let quotients = zip(characters + [noCharacter], tables.prior).map { (probabilities[$0] ?? 0) / $1 }
        let sum = max(quotients.reduce(0, +), 1e-9)
        return quotients.map { $0 / sum }
    }

    func candidates(_ answer: [Double], _ competes: (String) -> Bool, maxCount: Int) -> LinePath.Candidates {
        var shapeSums = [Double](repeating: 0, count: groups.count)
        var sizeSums = shapeSums
        for (k, (group, size)) in zip(groups, sizes).enumerated() {
            shapeSums[group] += answer[k]
            sizeSums[size] += answer[k]
        }
        func sum(_ sums: [Double], _ names: [Int], _ k: Int) -> Double {
            marks.contains(k) ? max(sums[names[k]], answer[characters.count], Self.minPunctuation) : sums[names[k]]
        }
        var ranking: [(rank: Double, character: Int)] = []
        for k in characters.indices {
            let rank = sum(shapeSums, groups, k) + 1e-3 * sum(sizeSums, sizes, k) + 1e-6 * answer[k]
            if ranking.count == maxCount, rank <= ranking[maxCount - 1].rank { continue }
            guard competes(characters[k]) else { continue }
            ranking.insert((rank, k), at: ranking.firstIndex { $0.rank < rank } ?? ranking.count)
            if ranking.count > maxCount { ranking.removeLast() }
        }
        let labels = ranking.map(\.character)
        let shapes = labels.map { sum(shapeSums, groups, $0) }
        return LinePath.Candidates(
            characters: labels, logShape: shapes.map { log(max($0, 1e-6)) },
            logShare: zip(labels, shapes).map {
                min(max(log(max(sum(sizeSums, sizes, $0), 1e-9) / max($1, 1e-9)), -3), 0)
            })
    }
}
