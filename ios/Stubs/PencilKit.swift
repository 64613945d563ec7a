// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What docs/ios.md uses of PencilKit, for type-checking on Linux; never shipped.
@_exported import UIKit

public struct PKStrokePoint { public var location: CGPoint { .zero } }
public struct PKStrokePath {
    public enum Stride { case distance(CGFloat) }
    public func interpolatedPoints(in range: ClosedRange<CGFloat>? = nil, by stride: Stride) -> [PKStrokePoint] { [] }
}
public struct PKStroke {
    public var mask: UIBezierPath? { nil }
    public var maskedPathRanges: [ClosedRange<CGFloat>] { [] }
    public var path: PKStrokePath { fatalError("a stub") }
    public var transform: CGAffineTransform { fatalError("a stub") }
}
public struct PKDrawing: Sendable { public var strokes: [PKStroke] { [] } }
