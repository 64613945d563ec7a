// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of Combine, for type-checking on Linux; never shipped.
public final class ObservableObjectPublisher {
    public func send() {}
}

public protocol ObservableObject: AnyObject {
    var objectWillChange: ObservableObjectPublisher { get }
}

extension ObservableObject {
    public var objectWillChange: ObservableObjectPublisher { fatalError("a stub") }
}

@propertyWrapper public struct Published<Value> {
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public var wrappedValue: Value
}
