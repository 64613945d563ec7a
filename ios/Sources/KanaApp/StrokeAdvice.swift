import KanaInk

/// Advice on the number, order and direction of strokes. It never decides whether a character is right.
public enum StrokeAdvice: Equatable, Sendable {
    /// There are more or fewer strokes than usual.
    case count(drawn: Int, usual: Int)
    /// The stroke drawn as number `drawn` (from 1) is usually number `usual`.
    case order(drawn: Int, usual: Int)
    /// The stroke of this number (from 1) is usually begun at its other end.
    case direction(stroke: Int)

    /// The advice on a drawing; empty if it is written as usual.
    ///
    /// Each drawn stroke is matched with one of the template, so that the sum of the distances between their starts,
    /// middles and ends is least, whichever end they begin at. Drawing and template are first scaled to the same box.
    public static func advice(on drawing: Drawing, usual template: [[InkPoint]]) -> [StrokeAdvice] {
        let drawn = drawing.strokes.filter { $0.count > 0 }.map { stroke in
            zip(stroke.x, stroke.y).map { InkPoint(x: $0, y: $1) }
        }
        let usual = template.filter { !$0.isEmpty }
        guard drawn.count == usual.count else { return [.count(drawn: drawn.count, usual: usual.count)] }
        // At most 8! orders are tried. No kana has more than six strokes.
        guard !drawn.isEmpty, drawn.count <= 8 else { return [] }
        let strokeEnds = boxed(drawn).map(ends)
        let templateEnds = boxed(usual).map(ends)
        let costs = strokeEnds.map { a in templateEnds.map { min(distance(a, $0), distance(a, $0.reversed())) } }
        let order = cheapest(costs)
        var advice: [StrokeAdvice] = []
        for (k, match) in order.enumerated() where match != k {
            advice.append(.order(drawn: k + 1, usual: match + 1))
        }
        for (k, match) in order.enumerated() {
            let forwards = distance(strokeEnds[k], templateEnds[match])
            let backwards = distance(strokeEnds[k], templateEnds[match].reversed())
            // A closed stroke or a dot has no clear direction. The margin was chosen by eye.
            if backwards < forwards - 0.15 { advice.append(.direction(stroke: k + 1)) }
        }
        return advice
    }

    /// The order with the least sum of costs; the first one of equals.
    static func cheapest(_ costs: [[Double]]) -> [Int] {
        var bestOrder = Array(costs.indices)
        var minSum = Double.infinity
        func search(_ order: [Int], _ sum: Double) {
            if sum >= minSum { return }
            if order.count == costs.count {
                bestOrder = order
                minSum = sum
                return
            }
            for k in costs.indices where !order.contains(k) { search(order + [k], sum + costs[order.count][k]) }
        }
        search([], 0)
        return bestOrder
    }

    /// A stroke's start, the middle of its length, and its end.
    private static func ends(_ stroke: [InkPoint]) -> [InkPoint] {
        var lengths = [0.0]
        for (a, b) in zip(stroke, stroke.dropFirst()) {
            lengths.append(
                lengths[lengths.count - 1] + ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot())
        }
        let half = lengths[lengths.count - 1] / 2
        let middle = lengths.firstIndex { $0 >= half } ?? 0
        return [stroke[0], stroke[middle], stroke[stroke.count - 1]]
    }

    private static func distance(_ a: [InkPoint], _ b: [InkPoint]) -> Double {
        zip(a, b).reduce(0) { sum, pair in
            let dx = pair.0.x - pair.1.x
            let dy = pair.0.y - pair.1.y
            return sum + (dx * dx + dy * dy).squareRoot()
        }
    }

    /// The strokes centred and scaled, so that the longer side of their box is 1.
    private static func boxed(_ strokes: [[InkPoint]]) -> [[InkPoint]] {
        let x = strokes.flatMap { $0.map(\.x) }
        let y = strokes.flatMap { $0.map(\.y) }
        guard let left = x.min(), let right = x.max(), let top = y.min(), let bottom = y.max() else { return strokes }
        let length = max(right - left, bottom - top, 1e-9)
        return strokes.map { stroke in
            stroke.map {
                InkPoint(x: ($0.x - (left + right) / 2) / length, y: ($0.y - (top + bottom) / 2) / length)
            }
        }
    }
}
