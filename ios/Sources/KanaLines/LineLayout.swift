import Foundation
import KanaInk

/// A box of ink.
struct InkBox: Equatable {
    var left, top, right, bottom: Double

    init(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double) {
        (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    }

    init(_ stroke: Stroke, reach: Double) {
        let (x, y) = (stroke.x, stroke.y)
        self.init((x.min() ?? 0) - reach, (y.min() ?? 0) - reach, (x.max() ?? 0) + reach, (y.max() ?? 0) + reach)
    }

    /// Around several; there must be one.
    init(_ boxes: some Sequence<InkBox>) {
        self.init(.infinity, .infinity, -.infinity, -.infinity)
        for box in boxes {
            (left, top) = (min(left, box.left), min(top, box.top))
            (right, bottom) = (max(right, box.right), max(bottom, box.bottom))
        }
    }

    var width: Double { right - left }
    var height: Double { bottom - top }
    var extent: Double { max(width, height) }
    var x: Double { (left + right) / 2 }
    var y: Double { (top + bottom) / 2 }
    /// Turned a quarter to the left: columns from right to left become rows from above to below.
    var turned: InkBox { InkBox(top, -right, bottom, -left) }
    var unturned: InkBox { InkBox(-bottom, left, -top, right) }

    func scaled(_ k: Double) -> InkBox { InkBox(left * k, top * k, right * k, bottom * k) }
}

/// Where a line lies and how large it is written (`Geometry` in `segmentation.py`): y of its middle at x = 0, its slope, the size of
/// the writing across the line, the size along it over that, and how much its characters' sizes and positions vary.
struct LineGeometry {
    /// `uneven` and `wander` of usual writing, and how many characters it takes to outweigh them.
    private static let usual = (uneven: 0.12, wander: 0.06, characters: 4.0)

    var middle, slope, size: Double
    var stretch = 1.0
    /// Standard deviations of the logarithms of the sizes, and of the positions across the line, in sizes.
    var (uneven, wander) = (0.2, 0.1)

    /// The line through the middles of the larger boxes.
    init(_ boxes: [InkBox], size: Double) {
        let large = boxes.filter { $0.extent > 0.4 * size }
        let used = large.isEmpty ? boxes : large
        let (x, y) = (used.map(\.x), used.map(\.y))
        let isShort = used.count < 4 || (x.max() ?? 0) - (x.min() ?? 0) < 3 * size
        (middle, slope) = isShort ? (mean(y), 0) : Self.line(x, y)
        self.size = size
    }

    /// Fit it to characters that were read, from their usual sizes and positions.
    mutating func fit(_ boxes: [InkBox], _ forms: [LineTables.Form]) {
        let residuals = zip(boxes, forms).map { box, form in
            [log(max(box.width, 1e-3)) - form[0], log(max(box.height, 1e-3)) - form[1]]
        }
        let medians = [0, 1].map { side in
            // The thickness of a ー says nothing about the size.
            let telling = zip(residuals, forms).filter { $1[side] > log(0.3) }.map { $0.0[side] }
            return telling.isEmpty ? log(size) : quantile(telling, 0.5)
        }
        let (count, prior) = (Double(boxes.count), Self.usual.characters)
        let larger = (medians[0] - medians[1]) * count / (count + prior)
        (size, stretch) = (exp((medians[0] + medians[1] - larger) / 2), exp(larger))
        let (x, y) = (boxes.map(\.x), zip(boxes, forms).map { $0.y - $1[2] * size })
        if boxes.count >= 4 { slope = Self.line(x, y).1 }
        middle = mean(zip(x, y).map { $1 - slope * $0 })
        func spread(_ usual: Double, _ residuals: [(residual: Double, own: Double)]) -> Double {
            let more = residuals.reduce(0) { $0 + max($1.residual * $1.residual - $1.own * $1.own, 0) }
            return ((prior * usual * usual + more) / (prior + Double(residuals.count))).squareRoot()
        }
        let sizes = zip(residuals, forms).filter { $1[0] > log(0.3) && $1[1] > log(0.3) }.map { residual, form in
            ((residual[0] + residual[1] - medians[0] - medians[1]) / 2, hypot(form[4], form[5]) / 2)
        }
        uneven = spread(Self.usual.uneven, sizes)
        wander = spread(
            Self.usual.wander, zip(zip(x, y), forms).map { (($0.1 - middle - slope * $0.0) / size, $1[6]) })
    }

    private static func line(_ x: [Double], _ y: [Double]) -> (Double, Double) {
        let (a, b) = (mean(x), mean(y))
        let square = x.reduce(0) { $0 + ($1 - a) * ($1 - a) }
        let product = zip(x, y).reduce(0) { $0 + ($1.0 - a) * ($1.1 - b) }
        let slope = min(max(product / max(square, 1e-6), -0.35), 0.35)
        return (b - slope * a, slope)
    }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// A quantile, interpolated between the two nearest values.
func quantile(_ values: [Double], _ share: Double) -> Double {
    let (sorted, place) = (values.sorted(), share * Double(values.count - 1))
    let low = Int(place)
    return sorted[low] + (place - Double(low)) * (sorted[min(low + 1, values.count - 1)] - sorted[low])
}

/// Finds the lines among boxes of ink, and in each line the spans of boxes that may be a character, step by step as
/// `fastetl/lines/layout.py` does. Lines run across where nothing else is said. There must be a box.
enum LineLayout {
    /// Most atoms of one character.
    private static let maxAtoms = 9
    /// Largest width of a character, in sizes of the line.
    private static let widest = 2.2
    /// Least height of a band that is a line of its own, in sizes of the writing.
    private static let minBand = 0.5
    /// Two overlapping bands are one line if together they are less high than this, in heights of the higher one.
    private static let oneLine = 1.5
    /// No higher does a box count, in sizes, so that a joined stroke joins no lines.
    private static let highest = 1.75
    /// An underline is longer than this, in usual lengths of boxes, and less thick than this, in its own lengths.
    private static let (underlineLength, underlineThickness) = (3.5, 0.12)
    /// Greatest length of a ー, in usual lengths of boxes.
    private static let vowelLength = 8.0
    /// The ink of a frame is farther than this from the middle of its box, in widths or heights of the box.
    private static let hollow = 0.33
    /// What is thinner is one line, in sizes of the writing.
    private static let thin = 2.6
    /// A longer step of the pen, in sizes, is to another character, and counts more than a nearest neighbour.
    private static let (nextOfPen, penWeight) = (0.85, 1.5)

    /// Which strokes are much longer than characters and mark them: underlines, sidelines of columns, frames. `boxes`: of
    /// the strokes.
    static func underlines(_ boxes: [InkBox], _ strokes: [Stroke]) -> [Bool] {
        let order = boxes.map(\.extent).sorted()
        return zip(boxes, strokes).map { box, stroke -> Bool in
            let thickness = min(box.width, box.height)
            let isFlat = thickness < underlineThickness * box.extent
            // What is shorter than two pens are dots, which say nothing of the size.
            let sizes = isFlat ? order.filter { $0 > 2 * thickness } : order
            guard sizes.count > 3 else { return false }
            let usual = sizes[Int(0.7 * Double(sizes.count - 1))]
            guard box.extent > underlineLength * usual else { return false }
            let besideX = box.width < box.extent ? usual : 0
            let besideY = box.height < box.extent ? usual : 0
            let near = InkBox(box.left - besideX, box.top - besideY, box.right + besideX, box.bottom + besideY)
            let marked = boxes.filter {
                $0.x >= near.left && $0.x <= near.right && $0.y >= near.top && $0.y <= near.bottom
            }
            // A long ー has no writing over or under it.
            if isFlat { return marked.count > 2 || box.extent > vowelLength * usual }
            let isHollow = zip(stroke.x, stroke.y).allSatisfy { x, y in
                max(abs(x - box.x) / box.width, abs(y - box.y) / box.height) > hollow
            }
            return marked.count > 2 && isHollow
        }
    }

    /// Weighted median of the boxes' extents; each extent is its own weight.
    static func weightedMedianExtent(_ boxes: [InkBox]) -> Double {
        let extents = boxes.map(\.extent).sorted()
        let half = extents.reduce(0, +) / 2
        var sum = 0.0
        return extents.first {
            sum += $0
            return sum >= half
        } ?? 0
    }

    /// The slope of the lines: along it, the boxes fall into the clearest bands.
    private static func skew(_ boxes: [InkBox], size: Double) -> Double {
        guard boxes.count >= 4 else { return 0 }
        var (best, highest) = (0.0, -1.0)
        for slope in (-20...20).map({ Double($0) / 100 }) {
            var counts: [Int: Double] = [:]
            for box in boxes {
                let place = Int(((box.y - slope * box.x) / (0.15 * size)).rounded(.down))
                for (near, weight) in [(-1, 1.0), (0, 2), (1, 1)] {
                    counts[place + near, default: 0] += weight * box.extent
                }
            }
            let value = counts.values.reduce(0) { $0 + $1 * $1 } * (1 - abs(slope))
            if value > highest { (best, highest) = (slope, value) }
        }
        return best
    }

    /// The lines from the top: for each its boxes' places. `boxes` in the order of time: one line is written after the
    /// other, and bands are one between which the pen went back and forth.
    static func lineMembers(_ boxes: [InkBox]) -> [[Int]] {
        let size = weightedMedianExtent(boxes)
        let slope = skew(boxes, size: size)
        let excess = boxes.map { max($0.height - highest * size, 0) / 2 }
        let top = zip(boxes, excess).map { $0.top - slope * $0.x + $1 }
        let bottom = zip(boxes, excess).map { $0.bottom - slope * $0.x - $1 }
        // A stroke that reaches into the next line must not join the two.
        let shrunk = zip(top, bottom).map { 0.2 * ($1 - $0) }
        var bands: [[Int]] = []
        var reach = -Double.infinity
        for k in boxes.indices.sorted(by: { top[$0] + shrunk[$0] < top[$1] + shrunk[$1] }) {
            if top[k] + shrunk[k] > reach { bands.append([]) }
            bands[bands.count - 1].append(k)
            reach = max(reach, bottom[k] - shrunk[k])
        }
        bands = inTurn(bands)
        join(&bands, top, bottom, width: InkBox(boxes).width, size: size)
        return bands
    }

    /// Join neighbouring bands if the pen went back and forth between them.
    private static func inTurn(_ bands: [[Int]]) -> [[Int]] {
        bands.reduce(into: []) { joined, band in
            guard let last = joined.last else { return joined.append(band) }
            let (both, lower) = ((last + band).sorted(), Set(band))
            let changes = zip(both, both.dropFirst()).filter { lower.contains($0) != lower.contains($1) }.count
            if changes > 2 { joined[joined.count - 1] += band } else { joined.append(band) }
        }
    }

    /// Join bands that cannot be lines of their own (dots, a stroke of 二) to the nearer neighbour.
    private static func join(
        _ bands: inout [[Int]], _ top: [Double], _ bottom: [Double], width: Double, size: Double
    ) {
        while bands.count > 1 {
            let low = bands.map { $0.map { top[$0] }.min() ?? 0 }
            let high = bands.map { $0.map { bottom[$0] }.max() ?? 0 }
            let heights = zip(low, high).map { $1 - $0 }
            let tallest = heights.max() ?? 0
            let gaps = (0..<(bands.count - 1)).map { k in
                let (gap, together) = (low[k + 1] - high[k], high[k + 1] - low[k])
                let smaller = min(heights[k], heights[k + 1])
                // The upper and lower halves of a few kanji are as high as lines, but they are close together and short.
                let areHalves = bands.count == 2 && gap < 0.25 * smaller && width < 3 * together
                let isThin = smaller < minBand * size && together < 1.8 * max(size, tallest)
                // Where characters of one line stand high and low, their bands overlap.
                let areOverlapping = gap < 0 && together < oneLine * max(size, heights[k], heights[k + 1])
                return areHalves || isThin || areOverlapping ? gap : .infinity
            }
            guard let nearest = gaps.min(), nearest <= 0.75 * size, let k = gaps.firstIndex(of: nearest) else { return }
            bands[k] += bands.remove(at: k + 1)
        }
    }

    /// Whether the writing runs down: whether most characters have their nearest neighbour, and the pen's next step,
    /// above or below them. A single line is a column if it is higher than wide.
    static func isDown(_ boxes: [InkBox]) -> Bool {
        guard boxes.count > 1 else { return false }
        let (size, turned) = (weightedMedianExtent(boxes), boxes.map(\.turned))
        let (rows, columns) = (lineMembers(boxes).count, lineMembers(turned).count)
        // The characters of one row follow each other to the right; columns do so to the left.
        let middle = Double(boxes.count - 1) / 2
        let goesRight = boxes.enumerated().reduce(0) { $0 + (Double($1.offset) - middle) * $1.element.x } > 0
        let isRow = rows == 1 && (columns == 1 || goesRight || thickness(boxes, size: size) < thin * size)
        if isRow || (columns == 1 && thickness(turned, size: size) < thin * size) {
            let all = InkBox(boxes)
            return columns == 1 && all.height > 1.3 * all.width
        }
        let ofPen = zip(boxes, boxes.dropFirst()).map { step(from: $0, to: $1) }.filter {
            ($0.x * $0.x + $0.y * $0.y).squareRoot() > nextOfPen * size
        }
        let large = boxes.filter { $0.extent > 0.4 * size }
        return excessOfSteep(stepsToNearest(large, nearer: size)) + penWeight * excessOfSteep(ofPen) > 0
    }

    /// Height of all boxes together, measured across the slope of their lines.
    private static func thickness(_ boxes: [InkBox], size: Double) -> Double {
        let slope = skew(boxes, size: size)
        let (top, bottom) = (boxes.map { $0.top - slope * $0.x }, boxes.map { $0.bottom - slope * $0.x })
        return (bottom.max() ?? 0) - (top.min() ?? 0)
    }

    private static func step(from box: InkBox, to other: InkBox) -> (x: Double, y: Double) {
        (other.x - box.x, other.y - box.y)
    }

    /// From each box to the nearest by the gap between edges; those whose middles are nearer are of the same character.
    private static func stepsToNearest(_ boxes: [InkBox], nearer: Double) -> [(x: Double, y: Double)] {
        boxes.compactMap { box in
            var nearest: (x: Double, y: Double)?
            var shortest = Double.infinity
            for other in boxes {
                let way = step(from: box, to: other)
                let x = max(0, box.left - other.right, other.left - box.right)
                let y = max(0, box.top - other.bottom, other.top - box.bottom)
                let gap = (x * x + y * y).squareRoot()
                if (way.x * way.x + way.y * way.y).squareRoot() >= nearer, gap < shortest {
                    (nearest, shortest) = (way, gap)
                }
            }
            return nearest
        }
    }

    /// The share of steps that go more down or up than sideways, less a half; 0 if there are none.
    private static func excessOfSteep(_ steps: [(x: Double, y: Double)]) -> Double {
        steps.isEmpty ? 0 : mean(steps.map { abs($0.y) > abs($0.x) ? 1 : 0 }) - 0.5
    }

    /// Height of a line's writing: the 0.7 quantile of the heights of its stretches of about four characters.
    static func size(of boxes: [InkBox]) -> Double {
        let size = weightedMedianExtent(boxes)
        let (slope, first) = (LineGeometry(boxes, size: size).slope, boxes.map(\.x).min() ?? 0)
        let stretches = Dictionary(grouping: boxes) { Int((($0.x - first) / max(3 * size, 1e-6)).rounded(.down)) }
        let heights = stretches.values.map { stretch in
            (stretch.map { $0.bottom - slope * $0.x }.max() ?? 0) - (stretch.map { $0.top - slope * $0.x }.min() ?? 0)
        }
        // A single ー or 一 is wide but not high.
        return max(quantile(heights, 0.7), boxes.count < 4 ? 0.9 * size : 0.5 * size, 1e-6)
    }

    /// Atoms: groups of boxes that lie over or under one another, so that no cut may part them, from left to right.
    /// `boxes` are in the order of time.
    static func atoms(_ boxes: [InkBox]) -> [[Int]] {
        var groups: [(left: Double, right: Double, members: [Int])] = []
        for (k, box) in boxes.enumerated() {
            var new = (left: box.left, right: box.right, members: [k])
            while true {
                let common = groups.map { group in
                    min(group.right, new.right) - max(group.left, new.left)
                        - 0.5 * min(group.right - group.left, new.right - new.left)
                }
                // A mark that lies over two characters belongs to one of them and must not join them.
                guard let most = common.max(), most > 0, let place = common.firstIndex(of: most) else { break }
                let old = groups.remove(at: place)
                new = (min(old.left, new.left), max(old.right, new.right), old.members + new.members)
            }
            groups.append(new)
        }
        return groups.sorted { $0.left + $0.right < $1.left + $1.right }.map(\.members)
    }

    /// Spans of neighbouring atoms that may be a character.
    static func spans(_ atoms: [InkBox], size: Double) -> [ClosedRange<Int>] {
        atoms.indices.flatMap { i in
            var spans: [ClosedRange<Int>] = []
            var (left, right) = (atoms[i].left, atoms[i].left)
            for j in i..<min(atoms.count, i + maxAtoms) {
                if j > i, atoms[j].left - right > 0.7 * size { break }
                (left, right) = (min(left, atoms[j].left), max(right, atoms[j].right))
                if j > i, right - left > widest * size { break }
                spans.append(i...j)
            }
            return spans
        }
    }
}
