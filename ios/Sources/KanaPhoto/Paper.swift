import Foundation

/// What is ink, what is paper, and what is neither: `fastetl/ink/paper.py`, `pens.py` and, which lines are printed,
/// `ruling.py`, number for number.
///
/// Ink is thin, and darker than the paper around it (or lighter, on a blackboard). The paper's level is found by a
/// morphological closing, so that the edge of a shadow or of a table stays where it is. What each threshold means, and
/// how it was chosen, stands there under the same name.
extension Photograph {
    /// Longest side of a plane, in pixels: larger pictures are reduced to it.
    static let maxPlane = 1600
    private static let inkWidth = 40
    private static let shadowWidth = 20
    private static let usualGrain = 1
    private static let maxGrain = 64
    private static let maxPasses = 3
    private static let windows = [4, 8, 14, 26]
    private static let strokeWidths = [3, 5, 7, 9, 11, 15, 21, 29, 41, 57]
    private static let dimLight = 32
    private static let minContrast = 12
    private static let guideDashes = 6
    private static let speckBlocks = 4
    private static let minInk = 6
    private static let thinWidth = 2.5
    private static let whiteLevel = 250
    private static let tinyRatio = 12
    private static let thinPen = 4
    private static let thickPen = 12
    private static let usualPen = 20
    private static let sampledPixels = 400

    /// Why a character may be recognized wrongly.
    public enum Fault: String, Sendable {
        case nothing = "no ink stands out from the paper: look at the picture"
        case two = "perhaps several characters: read them as a line"
        case small = "the character is small: crop the picture"
    }

    /// The plane of the ink, 255 where it is and 0 on paper, and where the character is in it.
    struct Ink: Equatable {
        let plane: Grid
        let box: Component?
        var fault: Fault?
    }

    /// Why the character may be recognized wrongly; nil if there is no reason.
    public var fault: Fault? { ink.fault }

    /// Dark ink on white paper, without shadows, tables, frames, ruled lines and grain; light ink is turned round.
    /// Longer sides than 1,600 pixels are reduced to that.
    public var whitened: Photograph {
        let plane = ink.plane
        return Photograph(plane.width, plane.height, plane.values.map { UInt8(255 - $0) })
    }

    var ink: Ink {
        let length = max(width, height)
        guard length <= Self.maxPlane else {
            let newWidth = max(1, width * Self.maxPlane / length)
            let newHeight = max(1, height * Self.maxPlane / length)
            let small = Resampling.box.resized(
                pixels, width: width, height: height, newWidth: newWidth, newHeight: newHeight)
            return Photograph(newWidth, newHeight, small).ink
        }
        var grey = Grid(height, width, pixels.map { Int($0) })
        if isBar {
            let box = Component(left: 0, top: 0, right: width, bottom: height, size: width * height)
            return Ink(plane: grey.map { 255 - $0 }, box: box)
        }
        var dark = grey.pooled(greatest: false)
        var light = grey.pooled(greatest: true).map { 255 - $0 }
        for _ in 0..<Self.maxPasses where Self.grain(dark) > Self.usualGrain {
            grey = grey.smoothed(length / 200 | 1)
            dark = grey.pooled(greatest: false)
            light = grey.pooled(greatest: true).map { 255 - $0 }
        }
        if Self.isLight(dark, light) {
            grey = grey.map { 255 - $0 }
            dark = light
        }
        let paper = Self.paper(dark)
        guard paper.peak > 0, let (plane, mask) = Self.ink(on: paper, grey),
            let character = Component.character(of: mask)
        else { return Ink(plane: grey.map { _ in 0 }, box: nil, fault: .nothing) }
        let (rows, columns) = (dark.height, dark.width)
        let box = Component(
            left: character.left * width / columns, top: character.top * height / rows,
            right: (character.right * width + columns - 1) / columns,
            bottom: (character.bottom * height + rows - 1) / rows,
            size: character.size)
        let isSmall = character.longestSide * Self.tinyRatio < dark.longestSide
        let isSeveral = mask.isSeveralCharacters(in: character)
        return Ink(plane: plane, box: box, fault: isSeveral ? .two : isSmall ? .small : nil)
    }

    /// The plane, and a mask of the blocks that have ink; nil if there is no ink.
    private static func ink(on paper: Paper, _ grey: Grid) -> (plane: Grid, mask: Grid)? {
        let (horizontals, verticals, peak) = printedLines(paper)
        if paper.isClean && horizontals.isEmpty && verticals.isEmpty {
            // Unchanged: networks read faint strokes on white better than any threshold finds them.
            return (grey.map { 255 - $0 }, paper.atLeast(3))
        }
        let (height, width) = (grey.height, grey.width)
        var plane = missingShare(paper.level.spread(height: height, width: width), grey)
        plane = plane.with(paper.surroundings.spread(height: height, width: width)) { $1 == 1 ? 0 : $0 }
        let (rows, columns) = (paper.level.height, paper.level.width)
        for line in horizontals {
            line.erase(from: &plane, shape: (rows, columns), threshold: max(minContrast, line.level) / 2)
        }
        if !verticals.isEmpty {
            plane = plane.transposed
            for line in verticals {
                line.erase(from: &plane, shape: (columns, rows), threshold: max(minContrast, line.level) / 2)
            }
            plane = plane.transposed
        }
        guard let ink = fullContrast(plane, peak) else { return nil }
        return (ink, ink.pooled(greatest: true).map { $0 >= 128 ? 1 : 0 })
    }

    /// The ink of a square as a usual pen leaves it; a thinned one is reduced to at most 160 × 160 pixels.
    static func withUsualPen(_ square: Grid) -> Grid {
        let side = square.height
        let blocks = square.pooled(greatest: true)
        let step = side / Grid.maxBlocks
        if step > 1, blocks.values.reduce(0, +) * step * step > thinPen * square.values.reduce(0, +) {
            return square.extreme(step | 1, greatest: true, fill: 0)
        }
        let mask = blocks.map { $0 >= 128 ? 1 : 0 }
        guard let box = Component.box(of: mask) else { return square }
        let length = box.longestSide
        guard meanWidth(mask) * Double(thickPen) > Double(length) else { return square }
        let width = strokeWidth(mask, 5)
        var excess = (width - length / usualPen) / 2
        let count = mask.values.reduce(0, +)
        while excess > 0, mask.opened(2 * excess + 1).values.reduce(0, +) * 10 < 8 * count { excess -= 1 }
        guard width * 3 <= length, length < width * thickPen, excess > 0 else { return square }
        var thinInk = square
        if step > 0 {
            let newSide = Grid.maxBlocks
            let bytes = Resampling.box.resized(
                square.values.map { UInt8($0) }, width: side, height: side, newWidth: newSide, newHeight: newSide)
            thinInk = Grid(newSide, newSide, bytes.map { Int($0) })
        }
        let (canvas, extent) = (thinInk.padded(excess, with: 0), thinInk.width)
        for y in -excess...excess {
            for x in -excess...excess where y * y + x * x <= excess * excess {
                for row in 0..<extent {
                    let start = (row + excess + y) * canvas.width + excess + x
                    for column in 0..<extent {
                        let index = row * extent + column
                        thinInk.values[index] = min(thinInk.values[index], canvas.values[start + column])
                    }
                }
            }
        }
        return thinInk
    }

    /// How far neighbouring blocks differ in the quietest quarter of the picture; 0 if those are strokes on white.
    private static func grain(_ small: Grid) -> Int {
        let greatest = small.extreme(3, greatest: true, fill: 0)
        let grain = Grid.quantile(
            greatest.with(small.extreme(3, greatest: false, fill: 255)) { $0 - $1 }.values, 25)
        return grain > maxGrain && Grid.quantile(small.values, 90) >= whiteLevel ? 0 : grain
    }

    /// The share of the paper's light that is missing in a picture, of 255.
    private static func missingShare(_ paper: Grid, _ picture: Grid, _ grain: Int = 0) -> Grid {
        paper.with(picture) { max($0 - $1 - grain, 0) * (255 + dimLight) / ($0 + dimLight) }
    }

    /// The highest level that a few blocks reach.
    private static func peak(_ shade: Grid, _ minCount: Int = speckBlocks) -> Int {
        var counts = [Int](repeating: 0, count: 256)
        for value in shade.values { counts[value] += 1 }
        let minCount = min(minCount, shade.values.count / 8 + 1)
        var count = 0
        for value in stride(from: 255, through: 0, by: -1) {
            count += counts[value]
            if count >= minCount { return value }
        }
        return 0
    }

    /// Twice the median of the outermost pixels.
    private static func medianEdge(_ picture: Grid) -> Int {
        let edge = picture.edge.sorted()
        return edge[edge.count / 2 - 1] + edge[edge.count / 2]
    }

    /// Whether a mask is one large area: a sixth of the picture, and filled to `perCent` between its edges.
    private static func isOneArea(_ mask: Grid, _ perCent: Int = 85) -> Bool {
        let count = mask.values.reduce(0, +)
        let areas = [mask, mask.transposed].map { lines in
            (0..<lines.height).reduce(0) { sum, row in
                let line = lines.values[(row * lines.width)..<((row + 1) * lines.width)]
                guard let first = line.firstIndex(of: 1), let last = line.lastIndex(of: 1) else { return sum }
                return sum + last - first + 1
            }
        }
        return 6 * count >= mask.values.count && count * 100 >= perCent * max(areas[0], areas[1])
    }

    /// Whether a mask goes on along the edges of the box around it.
    private static func hasStraightEdges(_ mask: Grid) -> Bool {
        let indices = mask.values.indices.filter { mask.values[$0] == 1 }
        let (rows, columns) = (indices.map { $0 / mask.width }, indices.map { $0 % mask.width })
        guard let top = rows.min(), let bottom = rows.max(), let left = columns.min(), let right = columns.max()
        else { return false }
        let box = (top...bottom).flatMap { mask.values[($0 * mask.width + left)...($0 * mask.width + right)] }
        let edge = Grid(bottom - top + 1, right - left + 1, box).edge
        return 4 * edge.reduce(0, +) >= 3 * edge.count
    }

    /// Whether the ink is lighter than the paper.
    ///
    /// If the picture's edge is dark or light all around, it is paper, unless the rest is a sheet. A sheet with
    /// straight edges beside a dark side is paper, too. Otherwise the thinner of the two is ink, and the level that
    /// most of the edge has is paper.
    private static func isLight(_ dark: Grid, _ light: Grid) -> Bool {
        let (minLevel, maxLevel) = (dark.values.min() ?? 0, 255 - (light.values.min() ?? 0))
        let middle = (minLevel + maxLevel) / 2
        let mask = dark.map { $0 > middle ? 1 : 0 }
        let isDark = dark.sides.map { $0.allSatisfy { $0 <= middle } }
        if isDark.contains(true), isOneArea(mask), !isDark.contains(false) || hasStraightEdges(mask) { return false }
        if dark.edge.allSatisfy({ $0 > middle }), !isOneArea(mask.map { 1 - $0 }, 95) { return false }
        if light.edge.allSatisfy({ $0 > 255 - middle }), !isOneArea(light.map { $0 < 255 - middle ? 1 : 0 }, 50) {
            return true
        }
        let shares = [dark, light].map { blocks -> [Grid] in
            let grain = Self.grain(blocks)
            return windows.map { perCent in
                let size = blocks.oddShare(perCent)
                let canvas = blocks.padded(size)
                return missingShare(canvas.closed(size), canvas, grain).cropped(size)
            }
        }
        let last = windows.count - 1
        let threshold = max(peak(shares[0][last]), peak(shares[1][last])) / 3
        let amounts = shares.map { $0.map { $0.values.reduce(0) { $1 >= max(threshold, 1) ? $0 + $1 : $0 } } }
        let window = windows.indices.first { k in
            amounts.contains { 2 * $0[k] >= $0[last] && $0[k] >= 12 * threshold }
        }
        let ink = amounts.map { Double($0[window ?? last]) + 1 }
        let total = amounts.map { Double($0[last]) + 1 }
        let logRatio = log(ink[0] / ink[1]) + 0.3 * log(ink[0] / total[0] * total[1] / ink[1])
        let middles = Double(medianEdge(dark) + 510 - medianEdge(light)) / 2
        let brightness = (middles - Double(minLevel) - Double(maxLevel)) / Double(max(maxLevel - minLevel, 1))
        // 1 if most of the edge is white, -1 if it is black: then it outweighs strokes that are thicker than their
        // gaps.
        return logRatio + 1.43 * brightness + 3 * pow(brightness, 27) < 0
    }

    /// Paper and ink of each block.
    private struct Paper {
        let level, shade, surroundings: Grid
        let threshold: Int

        /// `shade` where the ink is darkest; 0 if there is no ink.
        var peak: Int {
            let peak = Photograph.peak(shade)
            return peak >= threshold ? peak : 0
        }

        /// Whether all paper is white, with no table around it: a drawing or a clean scan.
        var isClean: Bool {
            !surroundings.values.contains(1) && Grid.quantile(level.values, 5) >= Photograph.whiteLevel
        }

        /// Where at least so many tenths of `peak` are missing.
        func atLeast(_ tenths: Int) -> Grid {
            let peak = max(self.peak, 1)
            return shade.map { $0 * 10 >= tenths * peak ? 1 : 0 }
        }

        /// The sheet with more blocks outside of it; unchanged if no ink would be left.
        func without(_ mask: Grid) -> Paper {
            guard mask.values.contains(1) else { return self }
            let paper = Paper(
                level: level, shade: shade.with(mask) { $1 == 1 ? 0 : $0 }, surroundings: surroundings.with(mask, max),
                threshold: threshold)
            let maxLength = Component.all(of: paper.atLeast(5)).map(\.longestSide).max() ?? 0
            return paper.peak > 0 && maxLength * 20 >= mask.longestSide ? paper : self
        }
    }

    /// A closing in which the picture goes on beyond its edges, so that a shadow in a corner is as wide as elsewhere.
    private static func closedBeyond(_ dark: Grid, _ size: Int) -> Grid {
        dark.padded(size / 2).closed(size).cropped(size / 2)
    }

    /// Paper and ink, found with ever narrower windows down to three stroke widths: a narrow shadow is paper, too.
    private static func paper(_ blocks: Grid) -> Paper {
        var size = blocks.oddShare(inkWidth)
        let grain = Self.grain(blocks)
        var surroundings = blocks.map { _ in 0 }
        let isWhite = Grid.quantile(blocks.closed(size).values, 5) >= whiteLevel
        while true {
            var level = blocks.closed(size)
            if !isWhite { level = level.with(closedBeyond(blocks, max(size, blocks.oddShare(shadowWidth))), min) }
            let shade = Self.missingShare(level, blocks, grain).with(surroundings) { $1 == 1 ? 0 : $0 }
            var paper = Paper(
                level: level, shade: shade, surroundings: surroundings, threshold: minContrast + 4 * grain)
            if paper.isClean, blocks.edge.allSatisfy({ $0 >= whiteLevel }) { return paper }
            paper = paper.without(Self.surroundings(paper.atLeast(5), isWhite: isWhite))
            surroundings = paper.surroundings
            let nextSize = max(3 * strokeWidth(paper.atLeast(7)) + 2 | 1, 9)
            // White paper has no shadows, for which windows are narrowed.
            if isWhite || nextSize * 5 >= size * 4 { return paper }
            size = nextSize
        }
    }

    /// The table or frame around a sheet: what is dark along a whole side, as far inwards as it is wider than strokes.
    ///
    /// On white paper a dark side may be a stroke at the edge of a crop. It is one if the opposite side has some ink,
    /// but not all along; ink in a corner that another dark side reaches does not count.
    private static func surroundings(_ mask: Grid, isWhite: Bool) -> Grid {
        let size = mask.oddShare(10)
        let (height, width) = (mask.height, mask.width)
        var canvas = mask.padded(size, with: 0)
        let rows = (0..<canvas.height).map { $0..<($0 + 1) }
        func fill(_ rowRanges: ArraySlice<Range<Int>>, _ columns: Range<Int>) {
            for row in rowRanges.map(\.lowerBound) {
                for column in columns { canvas.values[row * canvas.width + column] = 1 }
            }
        }
        let lines = (0..<height).map { Array(mask.values[($0 * width)..<(($0 + 1) * width)]) }
        let columns = (0..<width).map { column in lines.map { $0[column] } }
        func isFull(_ side: [Int]) -> Bool { side.reduce(0, +) * 20 >= 19 * side.count }
        /// How much of a side belongs to the corner with another one, whose `lines` begin there.
        func corner(_ lines: [[Int]]) -> Int {
            let depth = lines.firstIndex { !isFull($0) } ?? lines.count
            return depth == 0 ? 0 : max(size, depth)
        }
        /// Whether the first of `lines` is outside. `crossing`: the lines across them.
        func isOutside(_ lines: [[Int]], crossing: [[Int]]) -> Bool {
            guard let side = lines.first, let opposite = lines.last, isFull(side) else { return false }
            let between = opposite.dropFirst(corner(crossing)).dropLast(corner(crossing.reversed()))
            return !(isWhite && !isFull(opposite) && between.contains(1))
        }
        if isOutside(lines, crossing: columns) { fill(rows[..<size], 0..<canvas.width) }
        if isOutside(lines.reversed(), crossing: columns) { fill(rows[(size + height)...], 0..<canvas.width) }
        if isOutside(columns, crossing: lines) { fill(rows[...], 0..<size) }
        if isOutside(columns.reversed(), crossing: lines) { fill(rows[...], (size + width)..<canvas.width) }
        guard canvas.cropped(0) != mask.padded(size, with: 0) else { return mask.map { _ in 0 } }
        return canvas.opened(size).extreme(3, greatest: true, fill: 0).cropped(size)
    }

    /// Mean width of strokes in any direction, in blocks.
    private static func meanWidth(_ mask: Grid) -> Double {
        var (count, outline) = (0, 0)
        for index in mask.values.indices {
            count += mask.values[index]
            if index % mask.width > 0, mask.values[index] != mask.values[index - 1] { outline += 1 }
            if index >= mask.width, mask.values[index] != mask.values[index - mask.width] { outline += 1 }
        }
        return 2.5 * Double(count) / Double(max(outline, 1))
    }

    /// The greatest width, in blocks, that at least so many tenths of the ink have.
    private static func strokeWidth(_ mask: Grid, _ tenths: Int = 3) -> Int {
        let count = mask.values.reduce(0, +)
        var width = 1
        for size in strokeWidths {
            if size > mask.longestSide || mask.opened(size).values.reduce(0, +) * 10 < tenths * count { break }
            width = size
        }
        return width
    }

    /// Printed lines across and down, and what is missing where the ink beside them is darkest.
    ///
    /// A line is printed if it is thinner, fainter or darker than the ink, or goes from edge to edge. On white it has
    /// to be both, or part of a practice square.
    private static func printedLines(_ paper: Paper) -> (
        horizontals: [PrintedLine], verticals: [PrintedLine], peak: Int
    ) {
        let peak = paper.peak
        let sheet = paper.surroundings.map { 1 - $0 }
        let horizontals = PrintedLine.all(in: paper.shade, paper: sheet, threshold: peak / 3)
        let verticals = PrintedLine.all(in: paper.shade.transposed, paper: sheet.transposed, threshold: peak / 3)
        guard !horizontals.isEmpty || !verticals.isEmpty else { return ([], [], peak) }
        let remainder = PrintedLine.without(PrintedLine.without(sheet, horizontals).transposed, verticals).transposed
        let besideLines = paper.shade.with(remainder) { $1 == 1 ? $0 : 0 }
        let level = Self.peak(besideLines, 6 * speckBlocks)
        let ink = besideLines.map { $0 >= max((level + 1) / 2, 1) ? 1 : 0 }
        guard level >= paper.threshold, ink.values.reduce(0, +) >= minInk, !isStroke(ink, horizontals, verticals, level)
        else { return ([], [], peak) }
        let width = meanWidth(ink)
        let hasGuides = [horizontals, verticals].allSatisfy { $0.contains { $0.dashes >= guideDashes } }
        let isSquare = horizontals.count > 1 && verticals.count > 1
        func select(_ lines: [PrintedLine], _ ink: Grid) -> [PrintedLine] {
            let isOther = { (line: PrintedLine) in
                if width < thinWidth && !isSquare && !hasGuides { return 20 * line.level < 9 * level }
                return hasGuides || differs(line, width, level)
            }
            let inside = 3..<max(ink.height - 3, 3)
            guard paper.isClean, lines.count(where: { $0.spansPaper && inside.contains($0.row) }) < 2 else {
                return lines.filter { $0.spansPaper || isOther($0) }
            }
            let inkRows = ink.values.indices.lazy.filter { ink.values[$0] == 1 }.map { $0 / ink.width }
            let rows = [inkRows.first, inkRows.last].compactMap { $0 } + lines.map(\.row)
            // Else a stroke does, too, in a crop to the ink.
            let maySpan = !rows.contains { $0 < 3 } || !rows.contains { $0 >= ink.height - 3 }
            return lines.filter {
                isOther($0) && (hasGuides || $0.bends < 2) && (isSquare || ($0.spansPaper && maySpan))
            }
        }
        let lines = (select(horizontals, ink), select(verticals, ink.transposed))
        return (lines.0, lines.1, lines.0.isEmpty && lines.1.isEmpty ? peak : level)
    }

    /// Whether a line is clearly thinner, fainter or darker than strokes of a mean width and level.
    private static func differs(_ line: PrintedLine, _ width: Double, _ level: Int) -> Bool {
        let isAlike = 8 * level < 10 * line.level && 10 * line.level < 13 * level
        return 4 * line.thickness <= 3 * width || !isAlike
    }

    /// Whether the ink beside the lines is but what they leave where they bend: then they are strokes, as in 目.
    private static func isStroke(_ ink: Grid, _ horizontals: [PrintedLine], _ verticals: [PrintedLine], _ level: Int)
        -> Bool
    {
        let remainder = PrintedLine.without(
            PrintedLine.without(ink, horizontals, margin: 2).transposed, verticals, margin: 2)
        let lineLevel = (horizontals + verticals).map(\.level).max() ?? 0
        return lineLevel > 2 * level && remainder.values.reduce(0, +) < minInk
    }

    /// The plane stretched, ink to 255 and faint traces to 0; nil if there is no ink.
    private static func fullContrast(_ plane: Grid, _ peak: Int) -> Grid? {
        let sample = plane.every((plane.longestSide + sampledPixels - 1) / sampledPixels)
        let maxLevel = Grid.quantile(sample.values.filter { 2 * $0 >= peak }, 90)
        guard maxLevel >= minContrast else { return nil }
        let inkMask = sample.map { 2 * $0 >= maxLevel ? 1 : 0 }.extreme(5, greatest: true, fill: 0)
        let paperLevels = zip(sample.values, inkMask.values).filter { $1 == 0 }.map(\.0)
        let floor = min(maxLevel / 2, Grid.quantile(paperLevels, 95) * 5 / 4)
        return plane.map { min(max(($0 - floor) * 255 / (maxLevel - floor), 0), 255) }
    }

    /// Whether the picture is nothing but one dark stroke, cropped.
    private var isBar: Bool {
        let (short, long) = (min(width, height), max(width, height))
        guard long >= 4 * short else { return false }
        return pixels.indices.allSatisfy { index in
            let position = width >= height ? index / width : index % width
            return position < short / 3 || position >= short - short / 3 || pixels[index] < 128
        }
    }
}
