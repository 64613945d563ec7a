#if canImport(CoreGraphics)
import CoreGraphics

extension Photograph {
    /// In grey, on white paper where the image is transparent; its rows as they are stored: a photograph's orientation
    /// is not part of a `CGImage`. Throws `PhotographError`.
    public init(_ image: CGImage) throws {
        let (width, height) = (image.width, image.height)
        // The size is looked at before memory is taken for it.
        guard min(width, height) >= 1, max(width, height) <= Self.largest else {
            throw PhotographError.size(width: width, height: height)
        }
        var bytes = [UInt8](repeating: 255, count: width * height)
        let isDrawn = bytes.withUnsafeMutableBytes { memory in
            guard
                let context = CGContext(
                    data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width,
                    space: CGColorSpaceCreateDeviceGray(), bitmapInfo: CGImageAlphaInfo.none.rawValue)
            else { return false }
            let whole = CGRect(x: 0, y: 0, width: CGFloat(width), height: CGFloat(height))
            context.setFillColor(gray: 1, alpha: 1)
            context.fill(whole)
            context.draw(image, in: whole)  // the first row in memory is the top one
            return true
        }
        guard isDrawn else { throw PhotographError.drawing }
        try self.init(width: width, height: height, pixels: bytes)
    }
}
#endif
