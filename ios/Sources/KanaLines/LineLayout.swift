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

/// Where a line lies and how large it is written (`Geometry` in `segmentation.py`): y of its middle at x = 0, its
/// slope, the size of the writing across the line, the size along it over that, and how much its characters' sizes and
/// positions vary.
struct LineGeometry {
    /// `uneven` and `wander` of usual writing, and how many characters it takes to outweigh them.
    private static let usual = (uneven: 0.12, wander: 0.06, characters: 4.0)

    var middle, slope, size: Double
    var stretch = 1.0
    /// Standard deviations of the logarithms of the sizes, and of the positions across the line, in sizes.
    var (uneven, wander) = (0.2, 0.1)

    /// The line through the middles of the larger boxes.
    init(_ boxes: [InkBox], size: Double) {
        let largeBoxes = boxes.filter { $0.extent > LineLayout.largeExtent * size }
        let boxesUsed = largeBoxes.isEmpty ? boxes : largeBoxes
        let (x, y) = (boxesUsed.map(\.x), boxesUsed.map(\.y))
        let isShort = boxesUsed.count < 4 || (x.max() ?? 0) - (x.min() ?? 0) < 3 * size
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
            let values = zip(residuals, forms).filter { $1[side] > log(0.3) }.map { $0.0[side] }
            return values.isEmpty ? log(size) : quantile(values, 0.5)
        }
        let (count, prior) = (Double(boxes.count), Self.usual.characters)
        let logStretch = (medians[0] - medians[1]) * count / (count + prior)
        (size, stretch) = (exp((medians[0] + medians[1] - logStretch) / 2), exp(logStretch))
        let (x, centres) = (boxes.map(\.x), zip(boxes, forms).map { $0.y - $1[2] * size })
        if boxes.count >= 4 { slope = Self.line(x, centres).1 }
        middle = mean(zip(x, centres).map { $1 - slope * $0 })
        func addedDeviation(_ usualDeviation: Double, _ residuals: [(residual: Double, deviation: Double)]) -> Double {
            let excess = residuals.reduce(0) { $0 + max($1.residual * $1.residual - $1.deviation * $1.deviation, 0) }
            return ((prior * usualDeviation * usualDeviation + excess) / (prior + Double(residuals.count))).squareRoot()
        }
        let sizes = zip(residuals, forms).filter { $1[0] > log(0.3) && $1[1] > log(0.3) }.map { residual, form in
            ((residual[0] + residual[1] - medians[0] - medians[1]) / 2, hypot(form[4], form[5]) / 2)
        }
        uneven = addedDeviation(Self.usual.uneven, sizes)
        wander = addedDeviation(
            Self.usual.wander, zip(zip(x, centres), forms).map { (($0.1 - middle - slope * $0.0) / size, $1[6]) })
    }

    private static func line(_ x: [Double], _ y: [Double]) -> (Double, Double) {
        let (meanX, meanY) = (mean(x), mean(y))
        let variance = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
        let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
        let slope = min(max(covariance / max(variance, 1e-6), -LineLayout.maxSlope), LineLayout.maxSlope)
        return (meanY - slope * meanX, slope)
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
    /// Largest width of a character, and largest gap within one, in sizes of the line.
    private static let maxWidthOfStrokes = 2.2
    private static let maxGap = 0.7
    /// Least height of a band that is a line of its own, in sizes of the writing.
    private static let minBand = 0.5
    /// Two overlapping bands are one line if together they are less high than this, in heights of the higher one.
    private static let oneLine = 1.5
    /// A thinner band is part of the next if both together are lower than this, in sizes.
    private static let thinAndNext = 1.8
    /// Of the halves of one line: gap, at most, in heights of the lower one, and width, at most, in heights of both.
    private static let halvesGap = 0.25
    private static let halvesWidth = 3.0
    /// Bands that are farther apart are never joined, in sizes.
    private static let lineGap = 0.75
    /// No higher does a box count, in sizes, so that a joined stroke joins no lines.
    private static let maxHeight = 1.75
    /// Share of its height by which a box may reach into the next line.
    private static let overlapOfBands = 0.2
    /// Height of the bands by which the slope of lines is found, in sizes.
    private static let bandHeight = 0.15
    /// An underline is longer than this, in usual lengths of boxes, and less thick than this, in its own lengths.
    private static let underlineLength = 3.5
    private static let underlineThickness = 0.12
    /// How many boxes are beside an underline, with its own, at least.
    private static let underlined = 2
    /// Greatest length of a ー, in usual lengths of boxes.
    private static let vowelLength = 8.0
    /// The ink of a frame is farther than this from the middle of its box, in widths or heights of the box.
    private static let hollow = 0.33
    /// What is thinner is one line, in sizes of the writing.
    private static let thinOfStrokes = 2.6
    /// A single column is higher than this, in widths.
    private static let columnHeight = 1.3
    /// Distance of the middles from which boxes are of two characters, in sizes.
    private static let nextOfStrokes = 1.0
    /// A longer step of the pen, in sizes, is to another character, and counts more than a nearest neighbour.
    private static let nextOfPen = 0.85
    private static let penWeight = 1.5
    /// The quantile of lengths and of heights that is the usual one: marks and small kana are shorter.
    private static let usualShare = 0.7
    /// Extent, in sizes, of boxes that tell the slope of a line.
    static let largeExtent = 0.4
    /// Greatest slope of a line.
    static let maxSlope = 0.35
    /// Length of a part of a line that has a height of its own, in sizes.
    private static let stretchOfLine = 3.0

    /// Which strokes are much longer than characters and mark them: underlines, sidelines of columns, frames. `boxes`:
    /// of the strokes.
    static func underlines(_ boxes: [InkBox], _ strokes: [Stroke]) -> [Bool] {
        let order = boxes.map(\.extent).sorted()
        return zip(boxes, strokes).map { box, stroke -> Bool in
            let thickness = min(box.width, box.height)
            let isFlat = thickness < underlineThickness * box.extent
            // What is shorter than two pens are dots, which say nothing of the size.
            let sizes = isFlat ? order.filter { $0 > 2 * thickness } : order
            guard sizes.count > 3 else { return false }
            let usualExtent = sizes[Int(usualShare * Double(sizes.count - 1))]
            guard box.extent > underlineLength * usualExtent else { return false }
            let marginX = box.width < box.extent ? usualExtent : 0
            let marginY = box.height < box.extent ? usualExtent : 0
            let window = InkBox(box.left - marginX, box.top - marginY, box.right + marginX, box.bottom + marginY)
            let neighbours = boxes.filter {
                $0.x >= window.left && $0.x <= window.right && $0.y >= window.top && $0.y <= window.bottom
            }
            // A long ー has no writing over or under it.
            if isFlat { return neighbours.count > underlined || box.extent > vowelLength * usualExtent }
            let isHollow = zip(stroke.x, stroke.y).allSatisfy { x, y in
                max(abs(x - box.x) / box.width, abs(y - box.y) / box.height) > hollow
            }
            return neighbours.count > underlined && isHollow
        }
    }

    /// Weighted median of the boxes' extents; each extent is its own weight.
    static func weightedMedianExtent(_ boxes: [InkBox]) -> Double {
        let extents = boxes.map(\.extent).sorted()
        let halfSum = extents.reduce(0, +) / 2
        var sum = 0.0
        return extents.first {
            sum += $0
            return sum >= halfSum
        } ?? 0
    }

    /// The slope of the lines: along it, the boxes fall into the clearest bands.
    private static func skew(_ boxes: [InkBox], size: Double) -> Double {
        guard boxes.count >= 4 else { return 0 }
        var (bestSlope, bestValue) = (0.0, -1.0)
        for slope in (-20...20).map({ Double($0) / 100 }) {
            var counts: [Int: Double] = [:]
            for box in boxes {
                let band = Int(((box.y - slope * box.x) / (bandHeight * size)).rounded(.down))
                for (offset, weight) in [(-1, 1.0), (0, 2), (1, 1)] {
                    counts[band + offset, default: 0] += weight * box.extent
                }
            }
            let value = counts.values.reduce(0) { $0 + $1 * $1 } * (1 - abs(slope))
            if value > bestValue { (bestSlope, bestValue) = (slope, value) }
        }
        return bestSlope
    }

    /// The lines from the top: for each its boxes' places. `boxes` in the order of time: one line is written after the
    /// other, and bands are one between which the pen went back and forth.
    static func lineMembers(_ boxes: [InkBox]) -> [[Int]] {
        let size = weightedMedianExtent(boxes)
        let slope = skew(boxes, size: size)
        let excess = boxes.map { max($0.height - maxHeight * size, 0) / 2 }
        let top = zip(boxes, excess).map { $0.top - slope * $0.x + $1 }
        let bottom = zip(boxes, excess).map { $0.bottom - slope * $0.x - $1 }
        // A stroke that reaches into the next line must not join the two.
        let shrinkage = zip(top, bottom).map { overlapOfBands * ($1 - $0) }
        var bands: [[Int]] = []
        var maxBottom = -Double.infinity
        for k in boxes.indices.sorted(by: { top[$0] + shrinkage[$0] < top[$1] + shrinkage[$1] }) {
            if top[k] + shrinkage[k] > maxBottom { bands.append([]) }
            bands[bands.count - 1].append(k)
            maxBottom = max(maxBottom, bottom[k] - shrinkage[k])
        }
        bands = joinedByTime(bands)
        join(&bands, top, bottom, width: InkBox(boxes).width, size: size)
        return bands
    }

    /// Join neighbouring bands if the pen went back and forth between them.
    private static func joinedByTime(_ bands: [[Int]]) -> [[Int]] {
        bands.reduce(into: []) { result, band in
            guard let last = result.last else { return result.append(band) }
            let (both, members) = ((last + band).sorted(), Set(band))
            let changes = zip(both, both.dropFirst()).filter { members.contains($0) != members.contains($1) }.count
            if changes > 2 { result[result.count - 1] += band } else { result.append(band) }
        }
    }

    /// Join bands that cannot be lines of their own (dots, a stroke of 二) to the nearer neighbour.
    private static func join(
        _ bands: inout [[Int]], _ top: [Double], _ bottom: [Double], width: Double, size: Double
    ) {
        while bands.count > 1 {
            let tops = bands.map { $0.map { top[$0] }.min() ?? 0 }
            let bottoms = bands.map { $0.map { bottom[$0] }.max() ?? 0 }
            let heights = zip(tops, bottoms).map { $1 - $0 }
            let maxBandHeight = heights.max() ?? 0
            let gaps = (0..<(bands.count - 1)).map { k in
                let (gap, joint) = (tops[k + 1] - bottoms[k], bottoms[k + 1] - tops[k])
                let minHeight = min(heights[k], heights[k + 1])
                // The upper and lower halves of a few kanji are as high as lines, but they are close together and
                // short.
                let areHalves = bands.count == 2 && gap < halvesGap * minHeight && width < halvesWidth * joint
                let isThin = minHeight < minBand * size && joint < thinAndNext * max(size, maxBandHeight)
                // Where characters of one line stand high and low, their bands overlap.
                let areOverlapping = gap < 0 && joint < oneLine * max(size, heights[k], heights[k + 1])
                return areHalves || isThin || areOverlapping ? gap : .infinity
            }
            guard let minGap = gaps.min(), minGap <= lineGap * size, let k = gaps.firstIndex(of: minGap) else { return }
            bands[k] += bands.remove(at: k + 1)
        }
    }

    /// Whether the writing runs down: whether most characters have their nearest neighbour, and the pen's next step,
    /// above or below them. A single line is a column if it is higher than wide.
    static func runsDown(_ boxes: [InkBox]) -> Bool {
        guard boxes.count > 1 else { return false }
        let (size, turnedBoxes) = (weightedMedianExtent(boxes), boxes.map(\.turned))
        let (rows, columns) = (lineMembers(boxes).count, lineMembers(turnedBoxes).count)
        // The characters of one row follow each other to the right; columns do so to the left.
        let middle = Double(boxes.count - 1) / 2
        let goesRight = boxes.enumerated().reduce(0) { $0 + (Double($1.offset) - middle) * $1.element.x } > 0
        let isRow = rows == 1 && (columns == 1 || goesRight || thickness(boxes, size: size) < thinOfStrokes * size)
        if isRow || (columns == 1 && thickness(turnedBoxes, size: size) < thinOfStrokes * size) {
            let box = InkBox(boxes)
            return columns == 1 && box.height > columnHeight * box.width
        }
        let penSteps = zip(boxes, boxes.dropFirst()).map { step(from: $0, to: $1) }.filter {
            ($0.x * $0.x + $0.y * $0.y).squareRoot() > nextOfPen * size
        }
        let largeBoxes = boxes.filter { $0.extent > largeExtent * size }
        let nearestSteps = stepsToNearest(largeBoxes, minDistance: nextOfStrokes * size)
        return excessOfSteep(nearestSteps) + penWeight * excessOfSteep(penSteps) > 0
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
    private static func stepsToNearest(_ boxes: [InkBox], minDistance: Double) -> [(x: Double, y: Double)] {
        boxes.compactMap { box in
            var nearestStep: (x: Double, y: Double)?
            var minGap = Double.infinity
            for neighbour in boxes {
                let offset = step(from: box, to: neighbour)
                let x = max(0, box.left - neighbour.right, neighbour.left - box.right)
                let y = max(0, box.top - neighbour.bottom, neighbour.top - box.bottom)
                let gap = (x * x + y * y).squareRoot()
                if (offset.x * offset.x + offset.y * offset.y).squareRoot() >= minDistance, gap < minGap {
                    (nearestStep, minGap) = (offset, gap)
                }
            }
            return nearestStep
        }
    }

    /// The share of steps that go more down or up than sideways, less a half; 0 if there are none.
    private static func excessOfSteep(_ steps: [(x: Double, y: Double)]) -> Double {
        steps.isEmpty ? 0 : mean(steps.map { abs($0.y) > abs($0.x) ? 1 : 0 }) - 0.5
    }

    /// Height of a line's writing: the usual one of the heights of its stretches of about four characters.
    static func size(of boxes: [InkBox]) -> Double {
        let size = weightedMedianExtent(boxes)
        let (slope, first) = (LineGeometry(boxes, size: size).slope, boxes.map(\.x).min() ?? 0)
        let length = max(stretchOfLine * size, 1e-6)
        let stretches = Dictionary(grouping: boxes) { Int((($0.x - first) / length).rounded(.down)) }
        let heights = stretches.values.map { stretch in
            (stretch.map { $0.bottom - slope * $0.x }.max() ?? 0) - (stretch.map { $0.top - slope * $0.x }.min() ?? 0)
        }
        // A single ー or 一 is wide but not high.
        return max(quantile(heights, usualShare), boxes.count < 4 ? 0.9 * size : 0.5 * size, 1e-6)
    }

    /// Atoms: groups of boxes that lie over or under one another, so that no cut may part them, from left to right.
    /// `boxes` are in the order of time.
    static func atoms(_ boxes: [InkBox]) -> [[Int]] {
        var groups: [(left: Double, right: Double, members: [Int])] = []
        for (k, box) in boxes.enumerated() {
            var atom = (left: box.left, right: box.right, members: [k])
            while true {
                let lengths = groups.map { group in
                    min(group.right, atom.right) - max(group.left, atom.left)
                        - 0.5 * min(group.right - group.left, atom.right - atom.left)
                }
                // A mark that lies over two characters belongs to one of them and must not join them.
                guard let length = lengths.max(), length > 0, let place = lengths.firstIndex(of: length) else { break }
                let group = groups.remove(at: place)
                atom = (min(group.left, atom.left), max(group.right, atom.right), group.members + atom.members)
            }
            groups.append(atom)
        }
        return groups.sorted { $0.left + $0.right < $1.left + $1.right }.map(\.members)
    }

    /// Spans of neighbouring atoms that may be a character.
    static func spans(_ atoms: [InkBox], size: Double) -> [ClosedRange<Int>] {
        atoms.indices.flatMap { i in
            var spans: [ClosedRange<Int>] = []
            var (left, right) = (atoms[i].left, atoms[i].left)
            for j in i..<min(atoms.count, i + maxAtoms) {
                if j > i, atoms[j].left - right > maxGap * size { break }
                (left, right) = (min(left, atoms[j].left), max(right, atoms[j].right))
                if j > i, right - left > maxWidthOfStrokes * size { break }
                spans.append(i...j)
            }
            return spans
        }
    }
}
