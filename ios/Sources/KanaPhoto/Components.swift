/// The box and size of a connected component of ink, or of a group of them: `fastetl/ink/components.py`.
struct Component: Equatable {
    var left, top, right, bottom, size: Int

    var longestSide: Int { max(right - left, bottom - top) }

    /// The box around both, with the pixels of both.
    func joined(_ other: Component) -> Component {
        Component(
            left: min(left, other.left), top: min(top, other.top), right: max(right, other.right),
            bottom: max(bottom, other.bottom), size: size + other.size)
    }

    /// Whether two components may be of one character: strokes are no farther apart than twice as long as they are;
    /// dirt is smaller, and has to be nearer.
    func belongs(to other: Component) -> Bool {
        let gapX = max(other.left - right, left - other.right)
        let gap = max(gapX, other.top - bottom, top - other.bottom)
        let maxLength = max(longestSide, other.longestSide)
        return gap <= (4 * min(size, other.size) >= max(size, other.size) ? 2 * maxLength : maxLength * 2 / 5)
    }

    /// Around all of a mask; nil where it is empty.
    static func box(of mask: Grid) -> Component? {
        let indices = mask.values.indices.filter { mask.values[$0] == 1 }
        let (rows, columns) = (indices.map { $0 / mask.width }, indices.map { $0 % mask.width })
        guard let top = rows.min(), let bottom = rows.max(), let left = columns.min(), let right = columns.max()
        else { return nil }
        return Component(left: left, top: top, right: right + 1, bottom: bottom + 1, size: indices.count)
    }

    /// The components of a mask of 0 and 1, from the top; neighbours at corners are connected, too.
    static func all(of mask: Grid) -> [Component] {
        var runs: [(row: Int, start: Int, end: Int)] = []
        for row in 0..<mask.height {
            var column = 0
            while column < mask.width {
                guard mask.values[row * mask.width + column] == 1 else {
                    column += 1
                    continue
                }
                let start = column
                while column < mask.width, mask.values[row * mask.width + column] == 1 { column += 1 }
                runs.append((row, start, column))
            }
        }
        var parent = Array(runs.indices)
        func root(_ run: Int) -> Int {
            var run = run
            while parent[run] != run {
                parent[run] = parent[parent[run]]
                run = parent[run]
            }
            return run
        }
        var upper = 0
        for (number, run) in runs.enumerated() {
            while runs[upper].row < run.row - 1 || (runs[upper].row == run.row - 1 && runs[upper].end < run.start) {
                upper += 1
            }
            var lower = upper
            while runs[lower].row == run.row - 1 && runs[lower].start <= run.end {
                let (first, second) = (root(lower), root(number))
                parent[max(first, second)] = min(first, second)
                lower += 1
            }
        }
        var order: [Int: Int] = [:]
        var components: [Component] = []
        for (number, run) in runs.enumerated() {
            let part = Component(
                left: run.start, top: run.row, right: run.end, bottom: run.row + 1, size: run.end - run.start)
            let first = root(number)
            let index = order[first] ?? components.count
            if index == components.count {
                order[first] = index
                components.append(part)
            } else {
                components[index] = components[index].joined(part)
            }
        }
        return components
    }

    /// The group of components with the most ink, without specks; nil where there is no ink.
    static func character(of mask: Grid) -> Component? {
        let components = all(of: mask).enumerated().sorted {
            ($1.element.size, $0.offset) < ($0.element.size, $1.offset)
        }
        var groups = components.prefix(60).map(\.element).filter { 24 * $0.size >= components[0].element.size }
        var index = 0
        while index < groups.count {
            let neighbour = groups.indices.first { $0 > index && groups[index].belongs(to: groups[$0]) }
            guard let neighbour else {
                index += 1
                continue
            }
            groups[index] = groups[index].joined(groups.remove(at: neighbour))
            index = 0
        }
        let maxSize = groups.map(\.size).max()
        return groups.first { $0.size == maxSize }
    }
}

extension Grid {
    /// Whether the ink of a mask within a box is two characters or more: longer than high, with a gap between broad
    /// parts; or a page, with most of its ink in many short components.
    func isSeveralCharacters(in box: Component) -> Bool {
        let (height, width) = (box.bottom - box.top, box.right - box.left)
        let isInk = { (row: Int, column: Int) in self.values[(box.top + row) * self.width + box.left + column] == 1 }
        let columns = (0..<width).map { column in (0..<height).contains { isInk($0, column) } }
        let rows = (0..<height).map { row in (0..<width).contains { isInk(row, $0) } }
        let isLine = [(columns, height), (rows, width)].contains { line, lineHeight in
            let edges = line.indices.dropFirst().filter { line[$0] != line[$0 - 1] }
            let gaps = stride(from: 0, to: edges.count, by: 2).map { (edges[$0], edges[$0 + 1]) }
            return 3 * line.count >= 4 * lineHeight
                && gaps.contains { begin, end in
                    2 * begin >= lineHeight && 2 * (line.count - end) >= lineHeight && 16 * (end - begin) >= lineHeight
                }
        }
        let ink = (0..<height).flatMap { row in (0..<width).map { isInk(row, $0) ? 1 : 0 } }
        let parts = Component.all(of: Grid(height, width, ink))
        let shortParts = parts.filter { 4 * $0.longestSide <= max(height, width) }
        let isMostInk = 10 * shortParts.map(\.size).reduce(0, +) >= 7 * parts.map(\.size).reduce(0, +)
        return isLine || (shortParts.count >= 12 && isMostInk)
    }
}
