/// A square grey picture: side × side bytes, 0–255, rows from the top.
public struct Picture: Equatable, Sendable {
    public let side: Int
    public let pixels: [UInt8]

    /// `pixels` must hold side × side bytes.
    public init(side: Int, pixels: [UInt8]) {
        precondition(pixels.count == side * side, "a picture of side \(side) has \(side * side) pixels")
        self.side = side
        self.pixels = pixels
    }

    /// Whether every pixel is paper.
    public var isBlank: Bool { pixels.allSatisfy { $0 == 0 } }

    /// By how many heights the middle of the ink is lower than that of the picture.
    public var lowness: Double {
        let maxLevel = pixels.max() ?? 0
        func isInk(_ pixel: UInt8) -> Bool { pixel > maxLevel / 2 }
        guard let first = pixels.firstIndex(where: isInk), let last = pixels.lastIndex(where: isInk) else { return 0 }
        return Double(first / side + last / side + 1) / Double(2 * side) - 0.5
    }

    /// Copy the rows into memory whose rows are `bytesPerRow` apart (a pixel buffer's may be longer than its width).
    ///
    /// Throws `PictureError` if the rows are too short or the memory too small.
    public func copyRows(to memory: UnsafeMutableRawBufferPointer, bytesPerRow: Int) throws {
        guard bytesPerRow >= side else { throw PictureError.shortRows(expected: side, found: bytesPerRow) }
        let needed = bytesPerRow * (side - 1) + side
        guard memory.count >= needed else { throw PictureError.smallMemory(expected: needed, found: memory.count) }
        pixels.withUnsafeBytes { source in
            for row in 0..<side {
                let line = UnsafeRawBufferPointer(rebasing: source[(row * side)..<((row + 1) * side)])
                UnsafeMutableRawBufferPointer(rebasing: memory[(row * bytesPerRow)...]).copyMemory(from: line)
            }
        }
    }
}

/// Memory that cannot hold a picture; sizes are in bytes.
public enum PictureError: KanaError, Equatable {
    case shortRows(expected: Int, found: Int)
    case smallMemory(expected: Int, found: Int)

    public var description: String {
        switch self {
        case .shortRows(let expected, let found): return "picture: expected rows of \(expected) bytes, found \(found)"
        case .smallMemory(let expected, let found): return "picture: expected \(expected) bytes, found \(found)"
        }
    }
}
