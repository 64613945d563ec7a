// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app and docs/ios.md use of PencilKit, for type-checking on Linux; never shipped.
@_exported import UIKit

public struct PKDrawing: Sendable {
    public func image(from rect: CGRect, scale: CGFloat) -> UIImage { fatalError("a stub") }
}
