// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app and docs/ios.md use of Core Graphics, for type-checking on Linux; never shipped.
@_exported import Foundation

public struct CGAffineTransform: Sendable {}
extension CGPoint { public func applying(_ transform: CGAffineTransform) -> CGPoint { self } }
open class CGColor {}
public enum CGLineCap: Int32, Sendable { case butt, round, square }
public enum CGLineJoin: Int32, Sendable { case miter, round, bevel }

open class CGColorSpace {}
open class CGImage {
    public var width: Int { fatalError("a stub") }
    public var height: Int { fatalError("a stub") }
}
public enum CGImageAlphaInfo: UInt32, Sendable {
    case none = 0
    case alphaOnly = 7
}
public func CGColorSpaceCreateDeviceGray() -> CGColorSpace { fatalError("a stub") }

open class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: UInt32
    ) { nil }
    public func setFillColor(gray: CGFloat, alpha: CGFloat) {}
    public func setStrokeColor(gray: CGFloat, alpha: CGFloat) {}
    public func translateBy(x: CGFloat, y: CGFloat) {}
    public func scaleBy(x: CGFloat, y: CGFloat) {}
    public func setFillColor(_ color: CGColor) {}
    public func setStrokeColor(_ color: CGColor) {}
    public func fill(_ rect: CGRect) {}
    public func draw(_ image: CGImage, in rect: CGRect, byTiling: Bool = false) {}
    public func setLineCap(_ cap: CGLineCap) {}
    public func setLineJoin(_ join: CGLineJoin) {}
    public func setLineWidth(_ width: CGFloat) {}
    public func setLineDash(phase: CGFloat, lengths: [CGFloat]) {}
    public func saveGState() {}
    public func restoreGState() {}
    public func move(to point: CGPoint) {}
    public func addLine(to point: CGPoint) {}
    public func strokePath() {}
}
