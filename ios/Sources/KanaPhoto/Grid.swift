/// Whole numbers in rows: a picture's pixels, or the blocks that it is reduced to. The filters are those of
/// `fastetl/ink/blocks.py`, number for number.
struct Grid: Equatable {
    /// Blocks along a picture's longest side, at most.
    static let maxBlocks = 160

    let height: Int
    let width: Int
    var values: [Int]

    init(_ height: Int, _ width: Int, _ values: [Int]) {
        self.height = height
        self.width = width
        self.values = values
    }

    var longestSide: Int { max(height, width) }
    var transposed: Grid {
        Grid(width, height, (0..<values.count).map { values[$0 % height * width + $0 / height] })
    }

    /// The outermost values of each side.
    var sides: [[Int]] {
        let columns = [0, width - 1].map { column in (0..<height).map { values[$0 * width + column] } }
        return columns + [Array(values[..<width]), Array(values[(height * width - width)...])]
    }

    var edge: [Int] { sides.flatMap { $0 } }

    /// The values of every `step`-th row and column.
    func every(_ step: Int) -> Grid {
        let (rows, columns) = (stride(from: 0, to: height, by: step), stride(from: 0, to: width, by: step))
        return Grid(
            Array(rows).count, Array(columns).count, rows.flatMap { row in columns.map { values[row * width + $0] } })
    }

    func map(_ change: (Int) -> Int) -> Grid { Grid(height, width, values.map(change)) }

    /// A value made of each two values at the same position. Both grids are of one size.
    func with(_ other: Grid, _ combined: (Int, Int) -> Int) -> Grid {
        Grid(height, width, zip(values, other.values).map(combined))
    }

    /// So many per cent of the longest side, as an odd size of at least 3.
    func oddShare(_ perCent: Int) -> Int { max(3, longestSide * perCent / 100 | 1) }

    /// Rows and columns of the blocks of a picture.
    static func blockShape(height: Int, width: Int) -> (height: Int, width: Int) {
        let length = max(height, width)
        let maxCount = min(Self.maxBlocks, length)
        return (max(1, height * maxCount / length), max(1, width * maxCount / length))
    }

    /// The block, of `count`, to which each of `length` pixels belongs.
    private static func blocks(_ length: Int, _ count: Int) -> [Int] {
        (0..<count).flatMap { block in
            [Int](repeating: block, count: (block + 1) * length / count - block * length / count)
        }
    }

    /// The least or greatest value of each block.
    func pooled(greatest: Bool) -> Grid {
        let (rows, columns) = Self.blockShape(height: height, width: width)
        let (rowOf, columnOf) = (Self.blocks(height, rows), Self.blocks(width, columns))
        var out = [Int](repeating: greatest ? Int.min : Int.max, count: rows * columns)
        for row in 0..<height {
            for column in 0..<width {
                let (value, block) = (values[row * width + column], rowOf[row] * columns + columnOf[column])
                out[block] = greatest ? max(out[block], value) : min(out[block], value)
            }
        }
        return Grid(rows, columns, out)
    }

    /// A picture in which each pixel has its block's value: the inverse of `pooled`.
    func spread(height newHeight: Int, width newWidth: Int) -> Grid {
        let (rowOf, columnOf) = (Self.blocks(newHeight, height), Self.blocks(newWidth, width))
        return Grid(newHeight, newWidth, rowOf.flatMap { row in columnOf.map { values[row * width + $0] } })
    }

    /// The least or greatest value in a square of odd `size` around each value; beyond the edges all is `fill`.
    func extreme(_ size: Int, greatest: Bool, fill: Int) -> Grid {
        func filtered(_ out: inout [Int], lines: Int, length: Int, step: Int, jump: Int) {
            for line in 0..<lines {
                var padded = [Int](repeating: fill, count: length + 2 * (size / 2))
                for k in 0..<length { padded[size / 2 + k] = out[line * jump + k * step] }
                var (count, span) = (padded.count, 1)
                while 2 * span <= size {
                    for k in 0..<(count - span) {
                        padded[k] = greatest ? max(padded[k], padded[k + span]) : min(padded[k], padded[k + span])
                    }
                    count -= span
                    span *= 2
                }
                for k in 0..<length {
                    let (first, last) = (padded[k], padded[k + size - span])
                    out[line * jump + k * step] = greatest ? max(first, last) : min(first, last)
                }
            }
        }
        var out = values
        filtered(&out, lines: width, length: height, step: width, jump: 1)
        filtered(&out, lines: height, length: width, step: 1, jump: width)
        return Grid(height, width, out)
    }

    /// The mean of a square of odd `size` around each value.
    func smoothed(_ size: Int) -> Grid {
        let canvas = padded(size / 2)
        let columns = canvas.width + 1
        var sums = [Int](repeating: 0, count: (canvas.height + 1) * columns)
        for row in 0..<canvas.height {
            var line = 0
            for column in 0..<canvas.width {
                line += canvas.values[row * canvas.width + column]
                sums[(row + 1) * columns + column + 1] = sums[row * columns + column + 1] + line
            }
        }
        let out = (0..<values.count).map { index -> Int in
            let first = index / width * columns + index % width
            let last = first + size * columns
            return (sums[last + size] - sums[last] - sums[first + size] + sums[first]) / (size * size)
        }
        return Grid(height, width, out)
    }

    /// Morphological closing: without what is dark and narrower than `size`.
    func closed(_ size: Int) -> Grid {
        extreme(size, greatest: true, fill: 0).extreme(size, greatest: false, fill: 255)
    }

    /// Morphological opening of a mask of 0 and 1: what is at least `size` wide, if it went on beyond the edges.
    func opened(_ size: Int) -> Grid {
        extreme(size, greatest: false, fill: 1).extreme(size, greatest: true, fill: 0)
    }

    /// With `size` more rows and columns on each side, of `value`, or of the nearest value if that is nil.
    func padded(_ size: Int, with value: Int? = nil) -> Grid {
        let (newHeight, newWidth) = (height + 2 * size, width + 2 * size)
        return Grid(
            newHeight, newWidth,
            (0..<(newHeight * newWidth)).map { k in
                let (row, column) = (k / newWidth - size, k % newWidth - size)
                let (inRow, inColumn) = (min(max(row, 0), height - 1), min(max(column, 0), width - 1))
                return row == inRow && column == inColumn
                    ? values[row * width + column]
                    : value ?? values[inRow * width + inColumn]
            })
    }

    /// Without `size` rows and columns on each side.
    func cropped(_ size: Int) -> Grid {
        let (newHeight, newWidth) = (height - 2 * size, width - 2 * size)
        return Grid(
            newHeight, newWidth,
            (0..<(newHeight * newWidth)).map { values[($0 / newWidth + size) * width + $0 % newWidth + size] })
    }

    /// The least value that at least so many per cent of all do not exceed; 0 if there are none.
    static func quantile(_ values: [Int], _ perCent: Int) -> Int {
        var counts = [Int](repeating: 0, count: (values.max() ?? 0) + 1)
        for value in values { counts[value] += 1 }
        var total = 0
        for (value, count) in counts.enumerated() {
            total += count
            if total * 100 >= perCent * values.count { return value }
        }
        return 0
    }
}
