import KanaInk

/// A grey picture of one character on any paper, as a camera sees it: what `fastetl/ink/pictures.py` and
/// `fastetl/ink/paper.py` make of a picture file, in Swift.
public struct Photograph: Equatable, Sendable {
    /// Most pixels along a side.
    public static let maxSide = 12_000
    /// Most widths to a height, or heights to a width: a crop of ー is 24.
    public static let maxAspect = 100

    /// In pixels.
    public let width: Int
    /// In pixels.
    public let height: Int
    /// height × width bytes, 0 (black) to 255 (white), rows from the top.
    public let pixels: [UInt8]

    /// Throws `PhotographError` for a size that is not read, or another number of bytes.
    public init(width: Int, height: Int, pixels: [UInt8]) throws {
        let (short, long) = (min(width, height), max(width, height))
        guard short >= 1, long <= Self.maxSide, long <= Self.maxAspect * short else {
            throw PhotographError.size(width: width, height: height)
        }
        guard pixels.count == width * height else {
            throw PhotographError.bytes(expected: width * height, found: pixels.count)
        }
        self.init(width, height, pixels)
    }

    init(_ width: Int, _ height: Int, _ pixels: [UInt8]) {
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// `grey`: brightness where transparent parts are white. What is drawn becomes dark ink on white, whatever its
    /// brightness; an opaque part that fills its box and has contrast is a sheet, and what is around it becomes paper.
    init(_ width: Int, _ height: Int, grey: [UInt8], alpha: [UInt8]) {
        // A list of all visible pixels would be as large as a hundred megabytes for each ten million of them.
        var (count, top, bottom, left, right) = (0, height, -1, width, -1)
        for row in 0..<height {
            for column in 0..<width where alpha[row * width + column] >= 128 {
                count += 1
                (top, bottom, left, right) = (min(top, row), row, min(left, column), max(right, column))
            }
        }
        guard 0 < count, count < alpha.count else {
            func range(_ values: [UInt8]) -> UInt8 { (values.max() ?? 0) - (values.min() ?? 0) }
            let isFaint = count == 0 && range(grey) < min(32, range(alpha))
            self.init(width, height, isFaint ? alpha.map { 255 - $0 } : grey)
            return
        }
        let levels = alpha.indices.filter { alpha[$0] >= 128 }.map { Int(grey[$0]) }
        let area = (bottom - top + 1) * (right - left + 1)
        if 10 * levels.count < 7 * area || Grid.quantile(levels, 95) - Grid.quantile(levels, 5) < 64 {
            self.init(width, height, alpha.map { 255 - $0 })
            return
        }
        let paperDarkness = 255 - Grid.quantile(levels, 50)
        self.init(
            width, height, zip(grey, alpha).map { $0 - UInt8(min((255 - Int($1)) * paperDarkness / 255, Int($0))) })
    }

    /// What the model takes: the ink alone, black on white, in a square; a character that is small in the picture is
    /// looked at alone.
    ///
    /// Time and memory grow with the pixels: call it off the main actor.
    public func picture(side: Int = Rasterizer.side) -> Picture {
        let square = inkSquare
        let small = Resampling.triangle.resized(
            square.values.map { UInt8($0) }, width: square.width, height: square.height, newWidth: side, newHeight: side
        )
        return Picture(side: side, pixels: small.map { 255 - $0 })
    }

    /// The plane of the ink in a square, cropped to a character that is small in it, as a usual pen leaves it.
    private var inkSquare: Grid {
        let ink = self.ink
        let (height, width) = (ink.plane.height, ink.plane.width)
        var (side, left, top) = (max(height, width), width / 2, height / 2)
        if let box = ink.box, box.longestSide * 4 < side {
            (side, left, top) = (box.longestSide * 9 / 5, (box.left + box.right) / 2, (box.top + box.bottom) / 2)
        }
        (left, top) = (left - side / 2, top - side / 2)
        var square = [Int](repeating: 0, count: side * side)
        for row in max(top, 0)..<min(top + side, height) {
            for column in max(left, 0)..<min(left + side, width) {
                square[(row - top) * side + column - left] = ink.plane.values[row * width + column]
            }
        }
        return Self.withUsualPen(Grid(side, side, square))
    }
}

/// A picture that is not read.
public enum PhotographError: KanaError, Equatable {
    /// In pixels.
    case size(width: Int, height: Int)
    case bytes(expected: Int, found: Int)
    /// The picture could not be drawn in grey.
    case drawing

    public var description: String {
        switch self {
        case .size(let width, let height):
            return
                "photograph: expected sides of 1 to \(Photograph.maxSide) pixels, one at most \(Photograph.maxAspect) "
                + "times the other, found \(width) × \(height): crop it to one character"
        case .bytes(let expected, let found): return "photograph: expected \(expected) bytes, found \(found)"
        case .drawing: return "photograph: it could not be drawn in grey"
        }
    }
}
