import KanaInk

/// A grey picture of one character on any paper, as a camera sees it: what `fastetl/pictures.py` and
/// `fastetl/paper.py` make of a picture file, in Swift.
public struct Photograph: Equatable, Sendable {
    /// Most pixels along a side.
    public static let largest = 9000
    /// Most widths to a height, or heights to a width: a picture of one character is not a strip.
    public static let longest = 16

    /// In pixels.
    public let width: Int
    /// In pixels.
    public let height: Int
    /// height × width bytes, 0 (black) to 255 (white), rows from the top.
    public let pixels: [UInt8]

    /// Throws `PhotographError` for a size that is not read, or another number of bytes.
    public init(width: Int, height: Int, pixels: [UInt8]) throws {
        let (short, long) = (min(width, height), max(width, height))
        guard short >= 1, long <= Self.largest, long <= Self.longest * short else {
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

    /// What the model takes: the paper made white, the picture made square with the paper of its edge, and scaled.
    ///
    /// Time and memory grow with the pixels: cut a camera's picture to the character first, and call it off the main
    /// actor.
    public func picture(side: Int = Rasterizer.side) -> Picture {
        let square = whitened.square
        let small = Resampling.triangle.resized(
            square.pixels, width: square.width, height: square.height, newWidth: side, newHeight: side)
        return Picture(side: side, pixels: small)
    }

    /// The outermost pixels; those of the corners twice.
    var edge: [UInt8] {
        let sides = (0..<height).flatMap { [pixels[$0 * width], pixels[$0 * width + width - 1]] }
        return pixels[..<width] + pixels[(pixels.count - width)...] + sides
    }

    /// Made square with the median of its outermost pixels.
    var square: Photograph {
        let side = max(width, height)
        guard width != height else { return self }
        let sorted = edge.sorted()  // an even number: the median is the mean of the two in the middle, rounded down
        let paper = UInt8((Int(sorted[sorted.count / 2 - 1]) + Int(sorted[sorted.count / 2])) / 2)
        var out = [UInt8](repeating: paper, count: side * side)
        let (top, left) = ((side - height) / 2, (side - width) / 2)
        for row in 0..<height {
            let at = (top + row) * side + left
            out.replaceSubrange(at..<(at + width), with: pixels[(row * width)..<((row + 1) * width)])
        }
        return Photograph(side, side, out)
    }
}

/// A picture that is not read.
public enum PhotographError: Error, Equatable, CustomStringConvertible {
    /// In pixels.
    case size(width: Int, height: Int)
    case bytes(expected: Int, found: Int)
    /// The picture could not be drawn in grey.
    case drawing

    public var description: String {
        switch self {
        case .size(let width, let height):
            return "photograph: expected sides of 1 to \(Photograph.largest) pixels, one at most \(Photograph.longest) "
                + "times the other, found \(width) × \(height): crop it to one character"
        case .bytes(let expected, let found): return "photograph: expected \(expected) bytes, found \(found)"
        case .drawing: return "photograph: it could not be drawn in grey"
        }
    }
}
