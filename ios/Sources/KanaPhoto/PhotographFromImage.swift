#if canImport(CoreGraphics)
import CoreGraphics

extension Photograph {
    /// In grey, without what is transparent; its rows as they are stored: a photograph's orientation
    /// is not part of a `CGImage`. Throws `PhotographError`.
    public init(_ image: CGImage) throws {
        let (width, height) = (image.width, image.height)
        // The size is looked at before memory is taken for it.
        guard min(width, height) >= 1, max(width, height) <= Self.maxSide else {
            throw PhotographError.size(width: width, height: height)
        }
        var grey = [UInt8](repeating: 255, count: width * height)
        var alpha = [UInt8](repeating: 0, count: width * height)
        func isDrawn(in memory: UnsafeMutableRawBufferPointer, _ info: CGImageAlphaInfo) -> Bool {
            guard
                let context = CGContext(
                    data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width,
                    space: CGColorSpaceCreateDeviceGray(), bitmapInfo: info.rawValue)
            else { return false }
            let bounds = CGRect(x: 0, y: 0, width: CGFloat(width), height: CGFloat(height))
            if info == .none {
                context.setFillColor(gray: 1, alpha: 1)
                context.fill(bounds)
            }
            context.draw(image, in: bounds)  // the first row in memory is the top one
            return true
        }
        let isGrey = grey.withUnsafeMutableBytes { isDrawn(in: $0, .none) }
        let isAlpha = alpha.withUnsafeMutableBytes { isDrawn(in: $0, .alphaOnly) }
        guard isGrey && isAlpha else { throw PhotographError.drawing }
        let photograph = Photograph(width, height, grey: grey, alpha: alpha)
        try self.init(width: width, height: height, pixels: photograph.pixels)
    }
}
#endif
