/// Whole numbers in rows, and the filters that look at them: `fastetl/ink/places.py`, number for number.
struct Places: Equatable {
    /// Along the longest side of a picture.
    static let most = 160

    let height: Int
    let width: Int
    var values: [Int]

    init(_ height: Int, _ width: Int, _ values: [Int]) {
        self.height = height
        self.width = width
        self.values = values
    }

    var longest: Int { max(height, width) }
    var transposed: Places {
        Places(width, height, (0..<values.count).map { values[$0 % height * width + $0 / height] })
    }

    /// The outermost values.
    var edge: [Int] {
        let sides = (0..<height).flatMap { [values[$0 * width], values[$0 * width + width - 1]] }
        return sides + values[..<width] + values[(height * width - width)...]
    }

    /// Every so many rows and columns.
    func every(_ step: Int) -> Places {
        let (rows, columns) = (stride(from: 0, to: height, by: step), stride(from: 0, to: width, by: step))
        return Places(
            Array(rows).count, Array(columns).count, rows.flatMap { row in columns.map { values[row * width + $0] } })
    }

    func map(_ change: (Int) -> Int) -> Places { Places(height, width, values.map(change)) }

    /// Values of the same place of two pictures.
    func with(_ other: Places, _ combined: (Int, Int) -> Int) -> Places {
        Places(height, width, zip(values, other.values).map(combined))
    }

    /// An odd size: so much of the longest side.
    func share(_ perCent: Int) -> Int { max(3, longest * perCent / 100 | 1) }

    /// Rows and columns of places of a picture.
    static func shape(height: Int, width: Int) -> (height: Int, width: Int) {
        let longest = max(height, width)
        let most = min(Self.most, longest)
        return (max(1, height * most / longest), max(1, width * most / longest))
    }

    /// For each of `length` pixels, its place of `count`.
    static func places(_ length: Int, _ count: Int) -> [Int] {
        (0..<count).flatMap { place in
            [Int](repeating: place, count: (place + 1) * length / count - place * length / count)
        }
    }

    /// The least or greatest value of each place.
    func pooled(greatest: Bool) -> Places {
        let (rows, columns) = Self.shape(height: height, width: width)
        let (rowOf, columnOf) = (Self.places(height, rows), Self.places(width, columns))
        var out = [Int](repeating: greatest ? Int.min : Int.max, count: rows * columns)
        for row in 0..<height {
            for column in 0..<width {
                let (value, place) = (values[row * width + column], rowOf[row] * columns + columnOf[column])
                out[place] = greatest ? max(out[place], value) : min(out[place], value)
            }
        }
        return Places(rows, columns, out)
    }

    /// Each place's value for all of its pixels.
    func spread(height newHeight: Int, width newWidth: Int) -> Places {
        let (rowOf, columnOf) = (Self.places(newHeight, height), Self.places(newWidth, width))
        return Places(newHeight, newWidth, rowOf.flatMap { row in columnOf.map { values[row * width + $0] } })
    }

    /// The least or greatest value in a square of odd `size` around each pixel.
    func extreme(_ size: Int, greatest: Bool, outside: Int) -> Places {
        func filtered(_ out: inout [Int], lines: Int, length: Int, step: Int, jump: Int) {
            for line in 0..<lines {
                var padded = [Int](repeating: outside, count: length + 2 * (size / 2))
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
                    let (one, other) = (padded[k], padded[k + size - span])
                    out[line * jump + k * step] = greatest ? max(one, other) : min(one, other)
                }
            }
        }
        var out = values
        filtered(&out, lines: width, length: height, step: width, jump: 1)
        filtered(&out, lines: height, length: width, step: 1, jump: width)
        return Places(height, width, out)
    }

    /// The mean of a square of odd `size` around each value.
    func smoothed(_ size: Int) -> Places {
        let around = padded(size / 2)
        let columns = around.width + 1
        var sums = [Int](repeating: 0, count: (around.height + 1) * columns)
        for row in 0..<around.height {
            var line = 0
            for column in 0..<around.width {
                line += around.values[row * around.width + column]
                sums[(row + 1) * columns + column + 1] = sums[row * columns + column + 1] + line
            }
        }
        let out = (0..<values.count).map { at -> Int in
            let first = at / width * columns + at % width
            let last = first + size * columns
            return (sums[last + size] - sums[last] - sums[first + size] + sums[first]) / (size * size)
        }
        return Places(height, width, out)
    }

    /// Without what is dark and narrower than `size`.
    func closed(_ size: Int) -> Places {
        extreme(size, greatest: true, outside: 0).extreme(size, greatest: false, outside: 255)
    }

    /// What of a mask of 0 and 1 is at least `size` wide; outside of the picture it goes on.
    func opened(_ size: Int) -> Places {
        extreme(size, greatest: false, outside: 1).extreme(size, greatest: true, outside: 0)
    }

    /// With `size` more on each side, of the nearest value or, where it is given, of another.
    func padded(_ size: Int, with value: Int? = nil) -> Places {
        let (newHeight, newWidth) = (height + 2 * size, width + 2 * size)
        return Places(
            newHeight, newWidth,
            (0..<(newHeight * newWidth)).map { k in
                let (row, column) = (k / newWidth - size, k % newWidth - size)
                let (inRow, inColumn) = (min(max(row, 0), height - 1), min(max(column, 0), width - 1))
                return row == inRow && column == inColumn
                    ? values[row * width + column]
                    : value ?? values[inRow * width + inColumn]
            })
    }

    /// Without `size` on each side.
    func cropped(_ size: Int) -> Places {
        let (newHeight, newWidth) = (height - 2 * size, width - 2 * size)
        return Places(
            newHeight, newWidth,
            (0..<(newHeight * newWidth)).map { values[($0 / newWidth + size) * width + $0 % newWidth + size] })
    }

    /// The least value that so many do not exceed; 0 of none.
    static func quantile(_ values: [Int], _ perCent: Int) -> Int {
        var counts = [Int](repeating: 0, count: (values.max() ?? 0) + 1)
        for value in values { counts[value] += 1 }
        var before = 0
        for (value, count) in counts.enumerated() {
            before += count
            if before * 100 >= perCent * values.count { return value }
        }
        return 0
    }
}
