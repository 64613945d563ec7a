/// A nearly horizontal ruled line over places: `fastetl/ink/ruling.py`, number for number.
struct Line {
    /// In the middle column.
    let row: Int
    /// Rows from the first column to the last.
    let rise: Int
    let thickness: Double
    /// Share of the light that is missing on it, of 255.
    let level: Int
    /// From one edge of the paper to the other.
    let isThrough: Bool
    /// More than one: it is dashed, or broken.
    let pieces: Int

    static func offsets(_ rise: Int, _ width: Int) -> [Int] {
        (0..<width).map { column in
            let along = Double(rise) * (Double(column) - Double(width - 1) / 2) / Double(max(width - 1, 1))
            return Int(along.rounded(.toNearestOrEven))
        }
    }

    /// The nearly horizontal lines, strongest first. `paper`: 1 where the sheet is.
    static func all(in missing: Places, paper: Places, least: Int) -> [Line] {
        let (height, width) = (missing.height, missing.width)
        let most = max(2, missing.longest * 3 / 100)
        let thin = thin(missing.map { $0 >= least ? 1 : 0 }, most)
        let columns = (0..<width).filter { column in (0..<height).contains { thin.values[$0 * width + column] == 1 } }
        guard columns.count * 2 >= width else { return [] }
        let reach = max(width * 10 / 100, 2)
        let rises = [0] + (1...reach).flatMap { [-$0, $0] }  // the least slanting of equals is first
        let offsets = rises.map { Self.offsets($0, width) }
        var score = [Double](repeating: 0, count: offsets.count * height)
        for (number, offset) in offsets.enumerated() {
            for row in 0..<height {
                var (on, possible) = (0, 0)
                for column in 0..<width where (0..<height).contains(row + offset[column]) {
                    let at = (row + offset[column]) * width + column
                    on += thin.values[at]
                    possible += paper.values[at]
                }
                let share = possible * 2 >= width ? Double(on) / Double(max(possible, 1)) : 0
                guard share >= 0.35 else { continue }
                let spots = (0..<width).filter { column in
                    (0..<height).contains(row + offset[column])
                        && thin.values[(row + offset[column]) * width + column] == 1
                }
                // Dashed lines have gaps; strokes are shorter.
                let length = Double(spots[spots.count - 1] - spots[0] + 1)
                guard Double(on) >= 0.45 * length, length >= 0.6 * Double(possible) else { continue }
                score[number * height + row] = share
            }
        }
        var lines: [Line] = []
        while lines.count < 60, let best = score.max(), best >= 0.35, let at = score.firstIndex(of: best) {
            let (number, row) = (at / height, at % height)
            let rows = offsets[number].map { $0 + row }
            func places(_ mask: Places) -> [Int] {
                (0..<width).filter { (0..<height).contains(rows[$0]) && mask.values[rows[$0] * width + $0] == 1 }
            }
            let (spots, sheet) = (places(thin), places(paper))
            var (across, level) = (0, 0)
            for column in spots {
                level += missing.values[rows[column] * width + column]
                for step in -most...most {
                    across += thin.values[min(max(rows[column] + step, 0), height - 1) * width + column]
                }
            }
            let isThrough = spots[0] - sheet[0] <= 2 && sheet[sheet.count - 1] - spots[spots.count - 1] <= 2
            lines.append(
                Line(
                    row: row, rise: rises[number], thickness: Double(across) / Double(spots.count),
                    level: level / spots.count, isThrough: isThrough,
                    pieces: 1 + zip(spots, spots.dropFirst()).count { $1 - $0 > 1 }))
            for (other, offset) in offsets.enumerated() {
                for middle in 0..<height {
                    let first = abs(middle + offset[0] - row - offsets[number][0])
                    let last = abs(middle + offset[width - 1] - row - offsets[number][width - 1])
                    if abs(middle - row) <= most || first <= most + 1 || last <= most + 1 {
                        score[other * height + middle] = 0
                    }
                }
            }
        }
        return lines
    }

    /// Of a mask, where no more than `most` lie one above the other.
    private static func thin(_ mask: Places, _ most: Int) -> Places {
        var out = mask
        for column in 0..<mask.width {
            var start = 0
            for row in 0...mask.height {
                if row < mask.height, mask.values[row * mask.width + column] == 1 { continue }
                if row - start > most { for k in start..<row { out.values[k * mask.width + column] = 0 } }
                start = row + 1
            }
        }
        return out
    }

    /// The mask without the places of lines.
    static func without(_ mask: Places, _ lines: [Line]) -> Places {
        var rest = mask
        for line in lines {
            let reach = Int(line.thickness / 2 + 1.5)
            for (column, offset) in offsets(line.rise, mask.width).enumerated() {
                for step in -reach...reach where (0..<mask.height).contains(line.row + offset + step) {
                    rest.values[(line.row + offset + step) * mask.width + column] = 0
                }
            }
        }
        return rest
    }

    /// Take the line, over places of `shape`, out of a plane: what crosses it goes on as it is beside it. Not where what
    /// is at least `least` there is thicker.
    func erase(from plane: inout Places, shape: (height: Int, width: Int), least: Int) {
        let (height, width) = (plane.height, plane.width)
        let step = (height + shape.height - 1) / shape.height
        let near = step + 1
        let reach = near + Int(3 * (thickness + 1) * Double(step)) + 2
        let order = [0] + (1...near).flatMap { [-$0, $0] }
        var runs: [(column: Int, top: Int, bottom: Int, middle: Int)] = []
        for column in 0..<width {
            let along =
                ((Double(column) + 0.5) * Double(shape.width) / Double(width) - 0.5 - Double(shape.width - 1) / 2)
                / Double(max(shape.width - 1, 1))
            let centre = ((Double(row) + 0.5 + Double(rise) * along) * Double(height) / Double(shape.height)).rounded(
                .down)
            let middle = Int(centre)
            func isInk(_ row: Int) -> Bool {
                (0..<plane.height).contains(row) && abs(row - middle) <= reach
                    && plane.values[row * width + column] >= least
            }
            guard let start = order.map({ middle + $0 }).first(where: isInk) else { continue }
            var (top, bottom) = (start, start + 1)
            while isInk(top - 1) { top -= 1 }
            while isInk(bottom) { bottom += 1 }
            runs.append((column, top, bottom, middle))
        }
        guard !runs.isEmpty else { return }
        let typical = Places.quantile(runs.map { $0.bottom - $0.top }, 50)
        let blur = max(1, step / 2) + 1
        for run in runs where run.bottom - run.top <= max(typical * 8 / 5, typical + 1) {
            let (first, last) = (run.top - blur, run.bottom + blur)
            func value(_ row: Int) -> Int {
                let near = min(max(row, run.middle - reach), run.middle + reach)
                return plane.values[min(max(near, 0), height - 1) * width + run.column]
            }
            let beside = min(value(first - 1), value(last))
            for row in max(first, 0, run.middle - reach)..<max(min(last, height, run.middle + reach + 1), 0) {
                plane.values[row * width + run.column] = beside
            }
        }
    }
}
