/// A nearly horizontal ruled line over blocks: `fastetl/ink/ruling.py`, number for number.
struct PrintedLine {
    /// Its row in the middle column.
    let row: Int
    /// How many rows lower it ends in the last column than it begins in the first.
    let rise: Int
    /// In blocks.
    let thickness: Double
    /// Share of the paper's light that is missing on it, of 255.
    let level: Int
    /// Whether it goes from one edge of the paper to the other.
    let spansPaper: Bool
    /// How many pieces it has; more than one if it is dashed or broken.
    let dashes: Int
    /// How often the ink leaves the line and goes on beside it, as a hand's stroke does.
    let bends: Int

    /// How many rows a line of this rise is below its middle, in each of `width` columns.
    static func offsets(_ rise: Int, _ width: Int) -> [Int] {
        (0..<width).map { column in
            let position = Double(rise) * (Double(column) - Double(width - 1) / 2) / Double(max(width - 1, 1))
            return Int(position.rounded(.toNearestOrEven))
        }
    }

    /// The nearly horizontal lines, the one with the most ink first. `paper`: 1 where the sheet is. `threshold`: what
    /// is missing at least where there is ink.
    static func all(in shade: Grid, paper: Grid, threshold: Int) -> [PrintedLine] {
        let (height, width) = (shade.height, shade.width)
        let blocks = LineBlocks(shade: shade, paper: paper, threshold: threshold)
        let columns = (0..<width).filter { column in
            (0..<height).contains { blocks.thinInk.values[$0 * width + column] == 1 }
        }
        guard columns.count * 2 >= width else { return [] }
        let reach = max(width * 10 / 100, 2)
        let rises = [0] + (1...reach).flatMap { [-$0, $0] }  // of equals, the least slanting is taken
        let offsets = rises.map { Self.offsets($0, width) }
        var scores = offsets.flatMap { offset in
            (0..<height).map { row in blocks.score(of: offset.map { $0 + row }) }
        }
        var lines: [PrintedLine] = []
        while let value = scores.max(), value >= 0.35, let index = scores.firstIndex(of: value) {
            let (number, row) = (index / height, index % height)
            lines.append(blocks.line(row: row, rise: rises[number], rows: offsets[number].map { $0 + row }))
            for (candidate, offset) in offsets.enumerated() {
                for middle in 0..<height {
                    let first = abs(middle + offset[0] - row - offsets[number][0])
                    let last = abs(middle + offset[width - 1] - row - offsets[number][width - 1])
                    let reach = blocks.thickness
                    if abs(middle - row) <= reach || first <= reach + 1 || last <= reach + 1 {
                        scores[candidate * height + middle] = 0
                    }
                }
            }
        }
        return lines
    }

    /// The mask without the blocks that lines cover, and a margin above and below.
    static func without(_ mask: Grid, _ lines: [PrintedLine], margin: Int = 0) -> Grid {
        var remainder = mask
        for line in lines {
            let reach = Int(line.thickness / 2 + 1.5) + margin
            for (column, offset) in offsets(line.rise, mask.width).enumerated() {
                for step in -reach...reach where (0..<mask.height).contains(line.row + offset + step) {
                    remainder.values[(line.row + offset + step) * mask.width + column] = 0
                }
            }
        }
        return remainder
    }

    /// Take the line out of a plane: what crosses it goes on as it is beside it. `shape`: rows and columns of the
    /// blocks on which it was found. Where the ink, of at least `threshold`, is thicker than the line, it is a stroke
    /// and stays.
    func erase(from plane: inout Grid, shape: (height: Int, width: Int), threshold: Int) {
        let (height, width) = (plane.height, plane.width)
        let step = (height + shape.height - 1) / shape.height
        let maxDistance = step + 1
        let reach = maxDistance + Int(3 * (thickness + 1) * Double(step)) + 2
        let order = [0] + (1...maxDistance).flatMap { [-$0, $0] }
        var runs: [(column: Int, top: Int, bottom: Int, middle: Int)] = []
        for column in 0..<width {
            let position =
                ((Double(column) + 0.5) * Double(shape.width) / Double(width) - 0.5 - Double(shape.width - 1) / 2)
                / Double(max(shape.width - 1, 1))
            let y = ((Double(row) + 0.5 + Double(rise) * position) * Double(height) / Double(shape.height)).rounded(
                .down)
            let middle = Int(y)
            func isInk(_ row: Int) -> Bool {
                (0..<plane.height).contains(row) && abs(row - middle) <= reach
                    && plane.values[row * width + column] >= threshold
            }
            guard let start = order.map({ middle + $0 }).first(where: isInk) else { continue }
            var (top, bottom) = (start, start + 1)
            while isInk(top - 1) { top -= 1 }
            while isInk(bottom) { bottom += 1 }
            runs.append((column, top, bottom, middle))
        }
        guard !runs.isEmpty else { return }
        let usualThickness = Grid.quantile(runs.map { $0.bottom - $0.top }, 50)
        let blur = max(1, step / 2) + 1
        for run in runs where run.bottom - run.top <= max(usualThickness * 8 / 5, usualThickness + 1) {
            let (first, last) = (run.top - blur, run.bottom + blur)
            func value(_ row: Int) -> Int {
                let stripRow = min(max(row, run.middle - reach), run.middle + reach)
                return plane.values[min(max(stripRow, 0), height - 1) * width + run.column]
            }
            let paper = min(value(first - 1), value(last))
            for row in max(first, 0, run.middle - reach)..<max(min(last, height, run.middle + reach + 1), 0) {
                plane.values[row * width + run.column] = paper
            }
        }
    }
}

/// What lines are looked for on.
private struct LineBlocks {
    let shade, ink, paper: Grid
    /// The ink that is no thicker than a line may be.
    let thinInk: Grid
    let thickness: Int

    init(shade: Grid, paper: Grid, threshold: Int) {
        self.shade = shade
        self.paper = paper
        thickness = max(2, shade.longestSide * 3 / 100)
        ink = shade.map { $0 >= threshold ? 1 : 0 }
        thinInk = Self.withoutLongRuns(ink, thickness)
    }

    /// The mask without runs of more than `maxLength` blocks in a column.
    private static func withoutLongRuns(_ mask: Grid, _ maxLength: Int) -> Grid {
        var remainder = mask
        for column in 0..<mask.width {
            var start = 0
            for row in 0...mask.height {
                if row < mask.height, mask.values[row * mask.width + column] == 1 { continue }
                if row - start > maxLength { for k in start..<row { remainder.values[k * mask.width + column] = 0 } }
                start = row + 1
            }
        }
        return remainder
    }

    /// The columns in which a mask is 1 at the row given for each.
    private func columns(of mask: Grid, _ rows: [Int]) -> [Int] {
        rows.indices.filter { (0..<mask.height).contains(rows[$0]) && mask.values[rows[$0] * mask.width + $0] == 1 }
    }

    /// The share of the paper that a line covers; 0 for one too short or with too many gaps.
    func score(of rows: [Int]) -> Double {
        let (inkColumns, paperCount) = (columns(of: thinInk, rows), columns(of: paper, rows).count)
        guard paperCount * 2 >= rows.count, let first = inkColumns.first, let last = inkColumns.last else { return 0 }
        let (share, length) = (Double(inkColumns.count) / Double(max(paperCount, 1)), Double(last - first + 1))
        let isLine = Double(inkColumns.count) >= 0.45 * length && length >= 0.6 * Double(paperCount)
        return share >= 0.35 && isLine ? share : 0
    }

    func line(row: Int, rise: Int, rows: [Int]) -> PrintedLine {
        let (inkColumns, paperColumns) = (columns(of: thinInk, rows), columns(of: paper, rows))
        func value(_ grid: Grid, _ column: Int, _ step: Int) -> Int {
            grid.values[min(max(rows[column] + step, 0), grid.height - 1) * grid.width + column]
        }
        var (area, level) = (0, 0)
        for column in inkColumns {
            level += (-1...1).reduce(0) { max($0, value(shade, column, $1)) }
            area += (-thickness...thickness).reduce(0) { $0 + value(thinInk, column, $1) }
        }
        let length = inkColumns[0]...inkColumns[inkColumns.count - 1]
        let dashes = Self.pieces(
            length.filter { column in (-thickness...thickness).contains { value(ink, column, $0) == 1 } })
        let pieces = Self.pieces(length.filter { value(ink, $0, 0) == 1 })
        return PrintedLine(
            row: row, rise: rise, thickness: Double(area) / Double(inkColumns.count), level: level / inkColumns.count,
            spansPaper: inkColumns[0] - paperColumns[0] <= 2
                && paperColumns[paperColumns.count - 1] - inkColumns[inkColumns.count - 1] <= 2,
            dashes: dashes, bends: pieces - dashes)
    }

    /// How many runs of consecutive numbers there are in ascending ones.
    private static func pieces(_ columns: [Int]) -> Int {
        1 + zip(columns, columns.dropFirst()).count { $1 - $0 > 1 }
    }
}
