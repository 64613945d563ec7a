import Foundation

/// The best path through a lattice of spans and the characters they may be, step by step and by the names of
/// `fastetl/lines/path.py` and `candidates.py`. A state is a span together with one of its candidates.
///
/// Two rules of Python's are for pictures alone, and left out: strokes are not cut, so the feature `cuts` is 0, and
/// nothing is added for being one whole character (`Candidates.whole`).
struct LinePath {
    /// How many of the best states before each cut are followed further.
    private static let neighbours = 16

    /// Characters that the network gives less probability than this are ignored in `beyondPart`.
    private static let minSeen = 0.01

    /// The characters that a span may be.
    struct Candidates {
        var characters: [Int]
        /// For each, log of the network's probability of all characters that are written like it, and log of its share
        /// of that, together with those that differ only in size.
        var logShape, logShare: [Double]
        /// For each, how much longer the span is than a part of it that the network takes for the same character.
        var beyondPart: [Double] = []
    }

    /// A character on the path: its span, which of the span's candidates it is, the scores of the best paths through
    /// each of these, and of the best through a span that overlaps this one.
    struct Choice {
        var span, candidate: Int
        var scores: [Double]
        var rival: Double
    }

    let tables: LineTables
    let atoms: [InkBox]
    let isDown: Bool
    let spans: [ClosedRange<Int>]
    /// How many strokes each span has.
    let strokes: [Int]
    let boxes: [InkBox]

    /// `strokes`: how many each atom has.
    init(tables: LineTables, atoms: [InkBox], strokes: [Int], size: Double, isDown: Bool) {
        (self.tables, self.atoms, self.isDown) = (tables, atoms, isDown)
        spans = LineLayout.spans(atoms, size: size)
        self.strokes = spans.map { strokes[$0].reduce(0, +) }
        boxes = spans.map { InkBox(atoms[$0]) }
    }

    /// The score of each state: about the logarithm of the odds that just this span is just this character.
    private func scores(_ candidates: [Candidates], _ geometry: LineGeometry) -> [[Double]] {
        var maxRight = -Double.infinity
        var distances: [Double] = []
        for atom in atoms {
            distances.append(atom.left - maxRight)
            maxRight = max(maxRight, atom.right)
        }
        distances.append(.infinity)
        let gaps = distances.map { min(max($0 / geometry.size, -0.4), 0.6) }
        return spans.indices.map { number in
            let (span, box, c, strokes) = (spans[number], boxes[number], candidates[number], Double(strokes[number]))
            let innerGap = max(span.dropFirst().map { distances[$0] }.max() ?? 0, 0)
            let measures = [
                box.width / geometry.stretch, box.height, box.y - geometry.middle - geometry.slope * box.x,
                innerGap / geometry.stretch,
            ].map { $0 / geometry.size }
            // The last counts cuts through ink, of which strokes have none.
            let spanFeatures = [max(measures[0] - 1, 0), gaps[span.lowerBound] + gaps[span.upperBound + 1], 0]
            return c.characters.indices.map { k in
                let fit = tables.fit(measures, c.characters[k], geometry, isDown: isDown)
                let usualCount = Double(tables.strokes[c.characters[k]])
                let strokeFeatures = [max(usualCount - strokes, 0) / usualCount, log1p(max(strokes - usualCount, 0))]
                let values = [1, c.logShape[k], c.logShare[k], fit] + spanFeatures + [c.beyondPart[k]] + strokeFeatures
                return zip(values, tables.weights).reduce(0) { $0 + $1.0 * $1.1 }
            }
        }
    }

    /// Fill in `beyondPart`: the network often takes the picture of two characters for one of them.
    func addBeyondPart(to candidates: inout [Candidates], size: Double) {
        let numbers = Dictionary(uniqueKeysWithValues: zip(spans, spans.indices))
        let partProbabilities = candidates.map { c in
            zip(c.characters, c.logShape.map { exp($0) }).filter { $1 > Self.minSeen }
        }
        for (number, span) in spans.enumerated() {
            let places = Dictionary(uniqueKeysWithValues: zip(candidates[number].characters, 0...))
            var excess = candidates[number].characters.map { _ in 0.0 }
            for first in span {
                for last in first...span.upperBound {
                    guard first...last != span, let part = numbers[first...last] else { continue }
                    let difference = (boxes[number].width - boxes[part].width) / size
                    for (character, p) in partProbabilities[part] {
                        guard let k = places[character] else { continue }
                        excess[k] = max(excess[k], p * difference)
                    }
                }
            }
            candidates[number].beyondPart = excess
        }
    }

    /// The characters of the best path. `isPlain`: without bigrams, by the scripts of neighbours alone.
    func best(_ candidates: [Candidates], _ geometry: LineGeometry, isPlain: Bool = false) -> [Choice] {
        let spanScores = scores(candidates, geometry)
        let (score, characters) = (spanScores.flatMap { $0 }, candidates.flatMap(\.characters))
        let firsts = spanScores.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        let states = spans.indices.map { firsts[$0]..<firsts[$0 + 1] }
        let statesByEnd = Dictionary(grouping: spans.indices) { spans[$0].upperBound }.mapValues {
            $0.flatMap { states[$0] }
        }
        let spansByBegin = Dictionary(grouping: spans.indices) { spans[$0].lowerBound }
        let statesByBegin = spansByBegin.mapValues { $0.flatMap { states[$0] } }
        func follows(_ second: Int, _ first: Int?) -> Double {
            tables.bigramWeight
                * tables.logProbability(of: characters[second], after: first.map { characters[$0] }, isPlain: isPlain)
        }
        var forwardScores = score
        for state in statesByBegin[0] ?? [] { forwardScores[state] += follows(state, nil) }
        var predecessors = [Int?](repeating: nil, count: score.count)
        var steps: [(origins: [Int], targets: [Int], gains: [[Double]])] = []
        for t in atoms.indices.dropFirst() {
            guard let origins = statesByEnd[t - 1], let targets = statesByBegin[t] else { continue }
            let bestOrigins = Array(
                origins.sorted { (-forwardScores[$0], $0) < (-forwardScores[$1], $1) }.prefix(Self.neighbours))
            let gains = targets.map { b in bestOrigins.map { follows(b, $0) } }
            steps.append((bestOrigins, targets, gains))
            for (b, row) in zip(targets, gains) {
                var (bestTotal, bestOrigin) = (-Double.infinity, bestOrigins[0])
                for (a, value) in zip(bestOrigins, row) where forwardScores[a] + value > bestTotal {
                    (bestTotal, bestOrigin) = (forwardScores[a] + value, a)
                }
                forwardScores[b] += bestTotal
                predecessors[b] = bestOrigin
            }
        }
        let finalStates = statesByEnd[atoms.count - 1] ?? []
        var backwardScores = [Double](repeating: -.infinity, count: score.count)
        for state in finalStates { backwardScores[state] = 0 }
        for (bestOrigins, targets, gains) in steps.reversed() {
            for (k, a) in bestOrigins.enumerated() {
                backwardScores[a] =
                    zip(targets, gains).map { $1[k] + score[$0] + backwardScores[$0] }.max() ?? -.infinity
            }
        }
        let pathScores = zip(forwardScores, backwardScores).map { $0 + $1 }
        var path: [Choice] = []
        var nextState = finalStates.max { forwardScores[$0] < forwardScores[$1] }
        while let state = nextState, let span = states.firstIndex(where: { $0.contains(state) }) {
            let rivals = spans.indices.filter { $0 != span && spans[$0].overlaps(spans[span]) }.flatMap { states[$0] }
            path.append(
                Choice(
                    span: span, candidate: state - firsts[span], scores: Array(pathScores[states[span]]),
                    rival: rivals.map { pathScores[$0] }.max() ?? -.infinity))
            nextState = predecessors[state]
        }
        return path.reversed()
    }
}
