/// Grey, shaded, ruled, grainy paper made white: `fastetl/paper.py`, number for number (arithmetic in Float as there).
extension Photograph {
    /// Paper from this level on needs nothing.
    private static let white = 247
    /// Share of the pixels within two levels of the commonest light one from which the paper is even, as in a drawing.
    private static let even = 0.25
    /// The paper's level is estimated in 16 × 16 places, each from 12 × 12 pixels of the picture at 64 × 64.
    private static let (small, tiles, window) = (64, 16, 12)
    /// What is fainter than this share of the ink is paper: shadows' edges, ruled lines, grain.
    private static let faint: Float = 0.5
    /// Share of the paper's light that ink must take away at least.
    private static let blank: Float = 0.1

    /// Dark ink on white paper, without shadows, ruled lines and grain; light ink on dark paper is turned round.
    ///
    /// A picture whose paper is even and white, or even and black, comes back as it is.
    public var whitened: Photograph { whitened(sample: 1 << 20) }

    /// `sample`: pixels that are looked at for the level of the ink.
    func whitened(sample: Int) -> Photograph {
        let light = inkIsDark ? self : Photograph(width, height, pixels.map { 255 - $0 })
        var counts = [Int](repeating: 0, count: 256)
        for value in light.pixels { counts[Int(value)] += 1 }
        let darkest = counts.firstIndex { $0 > 0 } ?? 0
        let lightest = counts.lastIndex { $0 > 0 } ?? 0
        let middle = (darkest + lightest) / 2
        var level = middle
        for value in middle...255 where counts[value] > counts[level] { level = value }
        let near = counts[max(level - 2, 0)...min(level + 2, 255)].reduce(0, +)
        let isEven = Double(near) >= Self.even * Double(pixels.count)
        if isEven && level >= Self.white { return self }
        let paper = isEven ? [UInt8](repeating: UInt8(level), count: pixels.count) : light.unevenPaper
        return light.divided(by: paper, isEven: isEven, sample: sample)
    }

    /// By the median of the outermost pixels, against the middle of the darkest and the lightest.
    private var inkIsDark: Bool {
        let sorted = edge.sorted()
        let middle = Int(sorted[sorted.count / 2 - 1]) + Int(sorted[sorted.count / 2])
        return middle >= Int(pixels.min() ?? 0) + Int(pixels.max() ?? 0)
    }

    /// The level of the paper at every pixel: the 80th percentile of a window around it.
    private var unevenPaper: [UInt8] {
        let (n, tiles, window) = (Self.small, Self.tiles, Self.window)
        let small = Resampling.box.resized(pixels, width: width, height: height, newWidth: n, newHeight: n)
        let step = n / tiles
        let margin = (window - step) / 2
        var levels: [UInt8] = []
        for tile in 0..<(tiles * tiles) {
            let (top, left) = (tile / tiles * step - margin, tile % tiles * step - margin)
            let around = (0..<(window * window)).map { k in
                let row = min(max(top + k / window, 0), n - 1)
                let column = min(max(left + k % window, 0), n - 1)
                return Int(small[row * n + column])
            }.sorted()
            // The 80th percentile lies at 0.8 × 143 = 114.4; in tenths, which are never at a half.
            let tenths = 6 * around[114] + 4 * around[115]
            levels.append(UInt8((tenths + 5) / 10))
        }
        return Resampling.cubic.resized(levels, width: tiles, height: tiles, newWidth: width, newHeight: height)
    }

    /// Ink as a share of the light that the paper would give, between what is faint and what is full.
    private func divided(by paper: [UInt8], isEven: Bool, sample: Int) -> Photograph {
        // Bytes divided by bytes: 256 × 256 numbers, each computed once.
        let ink = (0..<65_536).map { max(1 - Float($0 & 255) / Float(max($0 >> 8, 1)), 0) }
        let key = { (k: Int) in Int(paper[k]) << 8 | Int(pixels[k]) }
        var every = 1
        while (every + 1) * (every + 1) <= pixels.count / sample { every += 1 }
        var counts = [Int](repeating: 0, count: 65_536)
        for row in stride(from: 0, to: height, by: every) {
            for column in stride(from: 0, to: width, by: every) { counts[key(row * width + column)] += 1 }
        }
        let found = counts.indices.filter { counts[$0] > 0 }.sorted { ink[$0] < ink[$1] }
        let most = found.last.map { ink[$0] } ?? 0
        let strong = found.filter { ink[$0] >= most / 2 }.map { (ink: ink[$0], count: counts[$0]) }
        let full = most > 0 ? Self.median(strong) : 0
        if full < Self.blank {
            return Photograph(width, height, [UInt8](repeating: 255, count: pixels.count))
        }
        let faint = isEven ? 0 : Self.faint * full
        let grey = ink.map { UInt8(255.5 - 255 * min(max(($0 - faint) / (full - faint), 0), 1)) }
        return Photograph(width, height, pixels.indices.map { grey[key($0)] })
    }

    /// Of values in rising order, each as often as it counts.
    private static func median(_ values: [(ink: Float, count: Int)]) -> Float {
        let count = values.reduce(0) { $0 + $1.count }
        func value(_ place: Int) -> Float {
            var before = 0
            for (ink, count) in values {
                before += count
                if place < before { return ink }
            }
            return 0
        }
        return (value((count - 1) / 2) + value(count / 2)) / 2
    }
}
