import Foundation

/// What is ink, what is paper, and what is neither: `fastetl/ink/paper.py`, number for number.
///
/// Ink is thin and darker than the paper around it (or lighter, on a blackboard). Paper is what a closing leaves, so that
/// the edge of a shadow or of a table stays where it is.
extension Photograph {
    /// Longest side of a plane: larger pictures are reduced to it.
    static let most = 1600
    private static let widest = 40
    private static let windows = [4, 8, 14, 26]
    private static let widths = [3, 5, 7, 9, 11, 15, 21, 29, 41, 57]
    private static let dim = 32
    private static let contrast = 12
    private static let beyond = 20
    private static let (grainy, grainiest, passes) = (1, 64, 3)
    private static let (dashes, tiny) = (6, 12)
    private static let few = 4
    private static let white = 250
    private static let (thin, thick, pen) = (4, 12, 20)
    private static let sampled = 400

    /// Why a character may be recognized wrongly.
    public enum Fault: String, Sendable {
        case nothing = "there is no ink in it: look at the picture"
        case two = "two characters: use --lines"
        case small = "the character is small: crop the picture"
    }

    /// The plane of the ink, 255 where it is and 0 on paper, and where the character is in it.
    struct Ink: Equatable {
        let plane: Places
        let box: Piece?
        var fault: Fault?
    }

    /// Nil where nothing speaks against recognizing it.
    public var fault: Fault? { ink.fault }

    /// Dark ink on white paper, without shadows, tables, frames, ruled lines and grain; light ink is turned round. Longer
    /// sides than 1,600 pixels are reduced to that.
    public var whitened: Photograph {
        let plane = ink.plane
        return Photograph(plane.width, plane.height, plane.values.map { UInt8(255 - $0) })
    }

    var ink: Ink {
        let longest = max(width, height)
        guard longest <= Self.most else {
            let newWidth = max(1, width * Self.most / longest)
            let newHeight = max(1, height * Self.most / longest)
            let small = Resampling.box.resized(
                pixels, width: width, height: height, newWidth: newWidth, newHeight: newHeight)
            return Photograph(newWidth, newHeight, small).ink
        }
        var grey = Places(height, width, pixels.map { Int($0) })
        if isBar {
            let box = Piece(left: 0, top: 0, right: width, bottom: height, size: width * height)
            return Ink(plane: grey.map { 255 - $0 }, box: box)
        }
        var dark = grey.pooled(greatest: false)
        var light = grey.pooled(greatest: true).map { 255 - $0 }
        for _ in 0..<Self.passes where Self.grain(dark) > Self.grainy {
            grey = grey.smoothed(longest / 200 | 1)
            dark = grey.pooled(greatest: false)
            light = grey.pooled(greatest: true).map { 255 - $0 }
        }
        if Self.isLight(dark, light) {
            grey = grey.map { 255 - $0 }
            dark = light
        }
        let sheet = Self.sheet(dark)
        guard sheet.top > 0, let (plane, mask) = Self.ink(on: sheet, grey), let piece = Piece.character(of: mask)
        else { return Ink(plane: grey.map { _ in 0 }, box: nil, fault: .nothing) }
        let (rows, columns) = (dark.height, dark.width)
        let box = Piece(
            left: piece.left * width / columns, top: piece.top * height / rows,
            right: (piece.right * width + columns - 1) / columns, bottom: (piece.bottom * height + rows - 1) / rows,
            size: piece.size)
        let isSmall = piece.longest * Self.tiny < dark.longest
        return Ink(plane: plane, box: box, fault: mask.standsApart(in: piece) ? .two : isSmall ? .small : nil)
    }

    /// The plane, and 1 in the places that have ink; nil where there is none.
    private static func ink(on sheet: Sheet, _ grey: Places) -> (plane: Places, mask: Places)? {
        let (across, down, top) = printedLines(sheet)
        if sheet.isPlain && across.isEmpty && down.isEmpty {
            // As it is: the networks see faint strokes on white better than any threshold.
            return (grey.map { 255 - $0 }, sheet.atLeast(3))
        }
        let (height, width) = (grey.height, grey.width)
        var plane = missing(sheet.paper.spread(height: height, width: width), grey)
        plane = plane.with(sheet.outside.spread(height: height, width: width)) { $1 == 1 ? 0 : $0 }
        let (rows, columns) = (sheet.paper.height, sheet.paper.width)
        for line in across {
            line.erase(from: &plane, shape: (rows, columns), least: max(contrast, line.level) / 2)
        }
        if !down.isEmpty {
            plane = plane.transposed
            for line in down {
                line.erase(from: &plane, shape: (columns, rows), least: max(contrast, line.level) / 2)
            }
            plane = plane.transposed
        }
        guard let full = fullContrast(plane, top) else { return nil }
        return (full, full.pooled(greatest: true).map { $0 >= 128 ? 1 : 0 })
    }

    /// The ink of a square as a usual pen leaves it; a brush's in at most 160 × 160.
    static func withUsualPen(_ square: Places) -> Places {
        let side = square.height
        let small = square.pooled(greatest: true)
        let step = side / Places.most
        if step > 1, small.values.reduce(0, +) * step * step > thin * square.values.reduce(0, +) {
            return square.extreme(step | 1, greatest: true, outside: 0)
        }
        let mask = small.map { $0 >= 128 ? 1 : 0 }
        guard let box = Piece.box(of: mask) else { return square }
        let longest = box.longest
        guard meanWidth(mask) * Double(thick) > Double(longest) else { return square }
        let width = strokeWidth(mask, 5)
        var reach = (width - longest / pen) / 2
        let count = mask.values.reduce(0, +)
        while reach > 0, mask.opened(2 * reach + 1).values.reduce(0, +) * 10 < 8 * count { reach -= 1 }
        guard width * 3 <= longest, longest < width * thick, reach > 0 else { return square }
        var brushed = square
        if step > 0 {
            let most = Places.most
            let bytes = Resampling.box.resized(
                square.values.map { UInt8($0) }, width: side, height: side, newWidth: most, newHeight: most)
            brushed = Places(most, most, bytes.map { Int($0) })
        }
        let (around, length) = (brushed.padded(reach, with: 0), brushed.width)
        for down in -reach...reach {
            for across in -reach...reach where down * down + across * across <= reach * reach {
                for row in 0..<length {
                    let from = (row + reach + down) * around.width + reach + across
                    for column in 0..<length {
                        let at = row * length + column
                        brushed.values[at] = min(brushed.values[at], around.values[from + column])
                    }
                }
            }
        }
        return brushed
    }

    /// How far neighbouring places differ in the quietest quarter of the picture; on white paper those are
    /// strokes.
    private static func grain(_ small: Places) -> Int {
        let greatest = small.extreme(3, greatest: true, outside: 0)
        let grain = Places.quantile(
            greatest.with(small.extreme(3, greatest: false, outside: 255)) { $0 - $1 }.values, 25)
        return grain > grainiest && Places.quantile(small.values, 90) >= white ? 0 : grain
    }

    /// The share of the paper's light that is missing, of 255; less in the dark, where grain weighs more.
    private static func missing(_ paper: Places, _ picture: Places, _ grain: Int = 0) -> Places {
        paper.with(picture) { max($0 - $1 - grain, 0) * (255 + dim) / ($0 + dim) }
    }

    /// The level that only a few places exceed.
    private static func top(_ missing: Places, _ few: Int = few) -> Int {
        var counts = [Int](repeating: 0, count: 256)
        for value in missing.values { counts[value] += 1 }
        let few = min(few, missing.values.count / 8 + 1)
        var darker = 0
        for value in stride(from: 255, through: 0, by: -1) {
            darker += counts[value]
            if darker >= few { return value }
        }
        return 0
    }

    /// Twice the median of the outermost pixels.
    private static func medianEdge(_ picture: Places) -> Int {
        let edge = picture.edge.sorted()
        return edge[edge.count / 2 - 1] + edge[edge.count / 2]
    }

    /// Whether a mask covers a sixth of the picture, and so much from its first place to its last, across and down.
    private static func isSheet(_ mask: Places, _ perCent: Int = 85) -> Bool {
        let count = mask.values.reduce(0, +)
        let between = [mask, mask.transposed].map { lines in
            (0..<lines.height).reduce(0) { sum, row in
                let line = lines.values[(row * lines.width)..<((row + 1) * lines.width)]
                guard let first = line.firstIndex(of: 1), let last = line.lastIndex(of: 1) else { return sum }
                return sum + last - first + 1
            }
        }
        return 6 * count >= mask.values.count && count * 100 >= perCent * max(between[0], between[1])
    }

    /// Whether the ink is lighter than the paper.
    ///
    /// An edge that is alike all around is paper, if the rest is no sheet, which fills its box. Otherwise what is thinner is
    /// ink, and what is all around is paper.
    private static func isLight(_ dark: Places, _ light: Places) -> Bool {
        let (darkest, lightest) = (dark.values.min() ?? 0, 255 - (light.values.min() ?? 0))
        let middle = (darkest + lightest) / 2
        let bright = dark.map { $0 > middle ? 1 : 0 }
        if dark.edge.allSatisfy({ $0 <= middle }), isSheet(bright) { return false }
        if dark.edge.allSatisfy({ $0 > middle }), !isSheet(bright.map { 1 - $0 }, 95) { return false }
        if light.edge.allSatisfy({ $0 > 255 - middle }), !isSheet(light.map { $0 < 255 - middle ? 1 : 0 }, 50) {
            return true
        }
        let shares = [dark, light].map { small -> [Places] in
            let grain = Self.grain(small)
            return windows.map { perCent in
                let size = small.share(perCent)
                let around = small.padded(size)
                return missing(around.closed(size), around, grain).cropped(size)
            }
        }
        let last = windows.count - 1
        let least = max(top(shares[0][last]), top(shares[1][last])) / 3
        let found = shares.map { $0.map { $0.values.reduce(0) { $1 >= max(least, 1) ? $0 + $1 : $0 } } }
        let at = windows.indices.first { k in
            found.contains { 2 * $0[k] >= $0[last] && $0[k] >= 12 * least }
        }
        let here = found.map { Double($0[at ?? last]) + 1 }
        let all = found.map { Double($0[last]) + 1 }
        let thinner = log(here[0] / here[1]) + 0.3 * log(here[0] / all[0] * all[1] / here[1])
        let brightness = Double(medianEdge(dark) + 510 - medianEdge(light)) / 2 - Double(darkest) - Double(lightest)
        return thinner + 1.43 * brightness / Double(max(lightest - darkest, 1)) < 0
    }

    /// What the places say.
    private struct Sheet {
        let paper, missing, outside: Places
        let least: Int

        /// What is missing where the ink is darkest; 0 where there is none.
        var top: Int {
            let top = Photograph.top(missing)
            return top >= least ? top : 0
        }

        /// Whether it is white paper alone, as a scan or a drawing has.
        var isPlain: Bool {
            !outside.values.contains(1) && Places.quantile(paper.values, 5) >= Photograph.white
        }

        func atLeast(_ tenths: Int) -> Places {
            let top = max(self.top, 1)
            return missing.map { $0 * 10 >= tenths * top ? 1 : 0 }
        }

        /// The same with more of it outside, unless no ink would be left.
        func without(_ mask: Places) -> Sheet {
            guard mask.values.contains(1) else { return self }
            let rest = Sheet(
                paper: paper, missing: missing.with(mask) { $1 == 1 ? 0 : $0 }, outside: outside.with(mask, max),
                least: least)
            let longest = Piece.all(of: rest.atLeast(5)).pieces.map(\.longest).max() ?? 0
            return rest.top > 0 && longest * 20 >= mask.longest ? rest : self
        }
    }

    /// As if the picture went on beyond its edges as it ends there: the corner of a shadow is as wide as the shadow.
    private static func closedBeyond(_ dark: Places, _ size: Int) -> Places {
        dark.padded(size / 2).closed(size).cropped(size / 2)
    }

    /// Paper and ink with a window as wide as three strokes, so that narrow shadows are paper too.
    private static func sheet(_ dark: Places) -> Sheet {
        var size = dark.share(widest)
        let grain = Self.grain(dark)
        var outside = dark.map { _ in 0 }
        let isLit = Places.quantile(dark.closed(size).values, 5) < white
        while true {
            var paper = dark.closed(size)
            if isLit { paper = paper.with(closedBeyond(dark, max(size, dark.share(beyond))), min) }
            let missing = Self.missing(paper, dark, grain).with(outside) { $1 == 1 ? 0 : $0 }
            var sheet = Sheet(paper: paper, missing: missing, outside: outside, least: contrast + 4 * grain)
            if sheet.isPlain, dark.edge.allSatisfy({ $0 >= white }) { return sheet }
            sheet = sheet.without(table(sheet.atLeast(5), isWhite: !isLit))
            outside = sheet.outside
            let narrower = max(3 * strokeWidth(sheet.atLeast(7)) + 2 | 1, 9)
            if narrower * 5 >= size * 4 { return sheet }
            size = narrower
        }
    }

    /// What is dark along a whole side of the picture, as far inwards as it is wider than strokes are.
    ///
    /// On white paper not where ink is in the middle of the opposite side alone: then it is a stroke, at the edge of a
    /// crop.
    private static func table(_ mask: Places, isWhite: Bool) -> Places {
        let size = mask.share(10)
        let (height, width) = (mask.height, mask.width)
        var around = mask.padded(size, with: 0)
        let rows = (0..<around.height).map { $0..<($0 + 1) }
        func fill(_ chosen: ArraySlice<Range<Int>>, _ columns: Range<Int>) {
            for row in chosen.map(\.lowerBound) {
                for column in columns { around.values[row * around.width + column] = 1 }
            }
        }
        let (first, last) = (Array(mask.values[..<width]), Array(mask.values[((height - 1) * width)...]))
        let left = (0..<height).map { mask.values[$0 * width] }
        let right = (0..<height).map { mask.values[$0 * width + width - 1] }
        func isFull(_ side: [Int]) -> Bool { side.reduce(0, +) * 20 >= 19 * side.count }
        func isOutside(_ side: [Int], opposite: [Int]) -> Bool {
            isFull(side)
                && !(isWhite && !isFull(opposite) && opposite.dropFirst(size).dropLast(size).contains(1))
        }
        if isOutside(first, opposite: last) { fill(rows[..<size], 0..<around.width) }
        if isOutside(last, opposite: first) { fill(rows[(size + height)...], 0..<around.width) }
        if isOutside(left, opposite: right) { fill(rows[...], 0..<size) }
        if isOutside(right, opposite: left) { fill(rows[...], (size + width)..<around.width) }
        guard around.cropped(0) != mask.padded(size, with: 0) else { return mask.map { _ in 0 } }
        return around.opened(size).extreme(3, greatest: true, outside: 0).cropped(size)
    }

    /// In places, of strokes in any direction.
    private static func meanWidth(_ mask: Places) -> Double {
        var (count, outline) = (0, 0)
        for at in mask.values.indices {
            count += mask.values[at]
            if at % mask.width > 0, mask.values[at] != mask.values[at - 1] { outline += 1 }
            if at >= mask.width, mask.values[at] != mask.values[at - mask.width] { outline += 1 }
        }
        return 2.5 * Double(count) / Double(max(outline, 1))
    }

    /// Width in places that at least so many tenths of the ink have.
    private static func strokeWidth(_ mask: Places, _ tenths: Int = 3) -> Int {
        let count = mask.values.reduce(0, +)
        var width = 1
        for size in widths {
            if size > mask.longest || mask.opened(size).values.reduce(0, +) * 10 < tenths * count { break }
            width = size
        }
        return width
    }

    /// Ruled lines across and down, and what is missing where the ink beside them is darkest.
    ///
    /// Ruled is what is thinner, fainter or darker than the rest, or crosses the sheet; on white both.
    private static func printedLines(_ sheet: Sheet) -> (across: [Line], down: [Line], top: Int) {
        let top = sheet.top
        let inside = sheet.outside.map { 1 - $0 }
        let across = Line.all(in: sheet.missing, paper: inside, least: top / 3)
        let down = Line.all(in: sheet.missing.transposed, paper: inside.transposed, least: top / 3)
        guard !across.isEmpty || !down.isEmpty else { return ([], [], top) }
        let beside = Line.without(Line.without(inside, across).transposed, down).transposed
        let strokes = sheet.missing.with(beside) { $1 == 1 ? $0 : 0 }
        let strength = Self.top(strokes, 6 * few)
        let rest = strokes.map { $0 >= max((strength + 1) / 2, 1) ? 1 : 0 }
        guard strength >= sheet.least, rest.values.reduce(0, +) >= 6 else { return ([], [], top) }
        let width = meanWidth(rest)
        let isCell = across.count > 1 && down.count > 1
        let hasGuides = [across, down].allSatisfy { $0.contains { $0.pieces >= dashes } }
        func printed(_ lines: [Line], _ rest: Places) -> [Line] {
            // On white a stroke may be as long, and reach or be an edge of a crop.
            let inside = 3..<max(rest.height - 3, 3)
            let ink = rest.values.indices.lazy.filter { rest.values[$0] == 1 }.map { $0 / rest.width }
            let rows = [ink.first, ink.last].compactMap { $0 } + lines.map(\.row)
            let isCropped = rows.contains { $0 < 3 } && rows.contains { $0 >= rest.height - 3 }
            let isAlone = sheet.isPlain && lines.count { $0.isThrough && inside.contains($0.row) } < 2
            return lines.filter { line in
                let isAlike = 8 * strength < 10 * line.level && 10 * line.level < 13 * strength
                let isOther = hasGuides || 4 * line.thickness <= 3 * width || !isAlike
                return isAlone
                    ? isOther && ((line.isThrough && !isCropped) || isCell) : isOther || line.isThrough
            }
        }
        let (ruledAcross, ruledDown) = (printed(across, rest), printed(down, rest.transposed))
        return (ruledAcross, ruledDown, ruledAcross.isEmpty && ruledDown.isEmpty ? top : strength)
    }

    /// Ink to 255, what is faint to 0; nil where there is no ink.
    private static func fullContrast(_ plane: Places, _ top: Int) -> Places? {
        let sample = plane.every((plane.longest + sampled - 1) / sampled)
        let full = Places.quantile(sample.values.filter { 2 * $0 >= top }, 90)
        guard full >= contrast else { return nil }
        let near = sample.map { 2 * $0 >= full ? 1 : 0 }.extreme(5, greatest: true, outside: 0)
        let far = zip(sample.values, near.values).filter { $1 == 0 }.map(\.0)
        let faint = min(full / 2, Places.quantile(far, 95) * 5 / 4)
        return plane.map { min(max(($0 - faint) * 255 / (full - faint), 0), 255) }
    }

    /// Whether it is nothing but one dark stroke, cropped to it.
    private var isBar: Bool {
        let (short, long) = (min(width, height), max(width, height))
        guard long >= 4 * short else { return false }
        return pixels.indices.allSatisfy { at in
            let across = width >= height ? at / width : at % width
            return across < short / 3 || across >= short - short / 3 || pixels[at] < 128
        }
    }
}
