// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of UIKit, for type-checking on Linux; never shipped. Signatures and isolation as
// we believe Apple's to be.
@_exported import CoreGraphics
@_exported import Foundation

public func UIGraphicsGetCurrentContext() -> CGContext? { fatalError("a stub") }

open class UIColor: NSObject {
    public var cgColor: CGColor { fatalError("a stub") }
    public class var label: UIColor { fatalError("a stub") }
    public class var separator: UIColor { fatalError("a stub") }
    public class var systemGray: UIColor { fatalError("a stub") }
    public class var systemGray3: UIColor { fatalError("a stub") }
    public class var secondarySystemBackground: UIColor { fatalError("a stub") }
}

open class UIFont: NSObject {
    public struct TextStyle: Hashable, Sendable {
        public static let caption1 = TextStyle()
    }
    public class func preferredFont(forTextStyle style: TextStyle) -> UIFont { fatalError("a stub") }
}

extension NSAttributedString.Key {
    public static let font = NSAttributedString.Key(rawValue: "NSFont")
    public static let foregroundColor = NSAttributedString.Key(rawValue: "NSColor")
}

extension NSAttributedString {
    public func draw(at point: CGPoint) {}
}

public enum UIEditingInteractionConfiguration: Int, Sendable { case none }

@MainActor open class UIResponder: NSObject {
    open var canBecomeFirstResponder: Bool { false }
    open var editingInteractionConfiguration: UIEditingInteractionConfiguration { .none }
    @discardableResult open func becomeFirstResponder() -> Bool { false }
    open func touchesBegan(_ touches: Set<UITouch>, with event: UIEvent?) {}
    open func touchesMoved(_ touches: Set<UITouch>, with event: UIEvent?) {}
    open func touchesEnded(_ touches: Set<UITouch>, with event: UIEvent?) {}
    open func touchesCancelled(_ touches: Set<UITouch>, with event: UIEvent?) {}
    open func motionEnded(_ motion: UIEvent.EventSubtype, with event: UIEvent?) {}
}

@MainActor open class UIEvent: NSObject {
    public enum EventSubtype: Int, Sendable { case none, motionShake }
    open func touches(for view: UIView) -> Set<UITouch>? { nil }
    open func coalescedTouches(for touch: UITouch) -> [UITouch]? { nil }
}

@MainActor open class UITouch: NSObject {
    public enum TouchType: Int, Sendable { case direct, indirect, pencil, indirectPointer }
    public var type: TouchType { .direct }
    public var timestamp: TimeInterval { 0 }
    public var force: CGFloat { 0 }
    public func preciseLocation(in view: UIView?) -> CGPoint { .zero }
}

@MainActor open class UIWindow: UIView {}

public struct UIAccessibilityTraits: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let allowsDirectInteraction = UIAccessibilityTraits(rawValue: 1)
}

@MainActor open class UIBezierPath: NSObject {}

open class UIView: UIResponder {
    public enum ContentMode: Int, Sendable { case scaleToFill, redraw }
    public init(frame: CGRect) {}
    public required init?(coder: NSCoder) { nil }
    open var bounds: CGRect {
        get { .zero }
        set {}
    }
    open var window: UIWindow? { nil }
    open var isMultipleTouchEnabled: Bool {
        get { false }
        set {}
    }
    open var contentMode: ContentMode {
        get { .redraw }
        set {}
    }
    public var isAccessibilityElement: Bool {
        get { false }
        set {}
    }
    public var accessibilityTraits: UIAccessibilityTraits {
        get { [] }
        set {}
    }
    public var accessibilityLabel: String? {
        get { nil }
        set {}
    }
    public var accessibilityHint: String? {
        get { nil }
        set {}
    }
    public var accessibilityValue: String? {
        get { nil }
        set {}
    }
    open func draw(_ rect: CGRect) {}
    open var frame: CGRect {
        get { .zero }
        set {}
    }
    open func addSubview(_ view: UIView) {}
    open func setNeedsDisplay() {}
    open func setNeedsLayout() {}
    open func layoutSubviews() {}
    open func didMoveToWindow() {}
}

@MainActor open class UIPanGestureRecognizer: NSObject {
    public var minimumNumberOfTouches: Int {
        get { 0 }
        set {}
    }
    public var maximumNumberOfTouches: Int {
        get { 0 }
        set {}
    }
}

@MainActor open class UIScrollView: UIView {
    public var panGestureRecognizer: UIPanGestureRecognizer { fatalError("a stub") }
    public var delaysContentTouches: Bool {
        get { false }
        set {}
    }
    public var contentSize: CGSize {
        get { .zero }
        set {}
    }
    public var contentOffset: CGPoint {
        get { .zero }
        set {}
    }
    public func setContentOffset(_ offset: CGPoint, animated: Bool) {}
}

@MainActor open class UIPasteboard: NSObject {
    public class var general: UIPasteboard { fatalError("a stub") }
    public var string: String? {
        get { nil }
        set {}
    }
}

public enum UIAccessibility {
    public struct Notification: Hashable, Sendable {
        public static let announcement = Notification()
    }
    @MainActor public static var isShakeToUndoEnabled: Bool { fatalError("a stub") }
    @MainActor public static var isReduceMotionEnabled: Bool { fatalError("a stub") }
    @MainActor public static func post(notification: Notification, argument: Any?) {}
}
