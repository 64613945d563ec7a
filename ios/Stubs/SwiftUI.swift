// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of SwiftUI, for type-checking on Linux; never shipped. Signatures and isolation as we believe
// Apple's to be; modifiers that the app does not use are not here.
@_exported import Observation
@_exported import UIKit

@MainActor @preconcurrency public protocol View {
    associatedtype Body: View
    @ViewBuilder @MainActor @preconcurrency var body: Body { get }
}

extension Never: View { public var body: Never { fatalError("a stub") } }

/// Every view of this file that has no body.
public protocol Primitive: View where Body == Never {}
extension Primitive { public var body: Never { fatalError("a stub") } }

@resultBuilder public struct ViewBuilder {
    public static func buildBlock() -> EmptyView { EmptyView() }
    public static func buildBlock<Content: View>(_ content: Content) -> Content { content }
    public static func buildBlock<each Content: View>(_ content: repeat each Content) -> TupleView<
        (repeat each Content)
    > {
        TupleView()
    }
    public static func buildExpression<Content: View>(_ content: Content) -> Content { content }
    public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }
    public static func buildEither<A: View, B: View>(first: A) -> ConditionalContent<A, B> { ConditionalContent() }
    public static func buildEither<A: View, B: View>(second: B) -> ConditionalContent<A, B> { ConditionalContent() }
}

extension Optional: View where Wrapped: View { public var body: Never { fatalError("a stub") } }
extension Optional: Primitive where Wrapped: View {}

public struct EmptyView: Primitive { nonisolated public init() {} }
public struct TupleView<T>: Primitive { nonisolated init() {} }
public struct ConditionalContent<A, B>: Primitive { nonisolated init() {} }

// Scenes
@MainActor @preconcurrency public protocol Scene {
    associatedtype Body: Scene
    @MainActor @preconcurrency var body: Body { get }
}
extension Never: Scene {}
@MainActor @preconcurrency public protocol App {
    associatedtype Body: Scene
    @MainActor @preconcurrency var body: Body { get }
    @MainActor @preconcurrency init()
}
extension App { @MainActor public static func main() {} }
public struct WindowGroup<Content: View>: Scene {
    public init(@ViewBuilder content: () -> Content) {}
    public var body: Never { fatalError("a stub") }
}

// State
@propertyWrapper @dynamicMemberLookup public struct Binding<Value> {
    public init(get: @escaping () -> Value, set: @escaping (Value) -> Void) {}
    public var wrappedValue: Value {
        get { fatalError("a stub") }
        nonmutating set {}
    }
    public var projectedValue: Binding<Value> { self }
    public subscript<T>(dynamicMember path: WritableKeyPath<Value, T>) -> Binding<T> { fatalError("a stub") }
}
@propertyWrapper public struct State<Value> {
    public init(wrappedValue: Value) {}
    public var wrappedValue: Value {
        get { fatalError("a stub") }
        nonmutating set {}
    }
    public var projectedValue: Binding<Value> { fatalError("a stub") }
}
extension State where Value: ExpressibleByNilLiteral { public init() {} }
@MainActor @preconcurrency @dynamicMemberLookup @propertyWrapper public struct Bindable<Value: AnyObject> {
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public var wrappedValue: Value
    public var projectedValue: Bindable<Value> { self }
    public subscript<T>(dynamicMember path: ReferenceWritableKeyPath<Value, T>) -> Binding<T> { fatalError("a stub") }
}
public enum ScenePhase: Sendable { case background, inactive, active }
public struct EnvironmentValues: Sendable {
    public var scenePhase: ScenePhase { .active }
    public var accessibilityReduceMotion: Bool { false }
}
@MainActor @preconcurrency @propertyWrapper public struct Environment<Value> {
    public init(_ path: KeyPath<EnvironmentValues, Value>) {}
    public var wrappedValue: Value { fatalError("a stub") }
}
@MainActor @preconcurrency public protocol PreviewProvider {
    associatedtype Previews: View
    @ViewBuilder @MainActor @preconcurrency static var previews: Previews { get }
}

// Texts: with fillings that are texts alone, so that every place in the catalogue is %@
public struct LocalizedStringKey: ExpressibleByStringInterpolation, Sendable {
    public struct StringInterpolation: StringInterpolationProtocol {
        public init(literalCapacity: Int, interpolationCount: Int) {}
        public mutating func appendLiteral(_ literal: String) {}
        public mutating func appendInterpolation(_ filling: String) {}
    }
    public init(stringLiteral value: String) {}
    public init(stringInterpolation: StringInterpolation) {}
}
extension String {
    public init(localized key: LocalizedStringKey) { fatalError("a stub") }
}

// Views
public struct Text: Primitive {
    nonisolated public init(verbatim: String) {}
    nonisolated public init(_ key: LocalizedStringKey) {}
    public func font(_ font: Font?) -> Text { self }
    public func foregroundStyle(_ color: Color) -> Text { self }
}
public struct Image: Primitive { nonisolated public init(systemName: String) {} }
public struct Spacer: Primitive { nonisolated public init() {} }
public struct ProgressView: Primitive { nonisolated public init() {} }
public struct Label: Primitive { nonisolated public init(_ title: LocalizedStringKey, systemImage: String) {} }
public struct Link: Primitive { public init(_ title: LocalizedStringKey, destination: URL) {} }
public struct ShareLink: Primitive { public init(item: URL) {} }
public struct TextField: Primitive { public init(_ title: LocalizedStringKey, text: Binding<String>) {} }
public struct Stepper: Primitive {
    public init(
        _ title: LocalizedStringKey, value: Binding<Int>, in bounds: ClosedRange<Int>, step: Int,
        onEditingChanged: @escaping (Bool) -> Void = { _ in }
    ) {}
}
public struct ButtonRole: Equatable, Sendable {
    public static let destructive = ButtonRole()
    public static let cancel = ButtonRole()
}
public struct Button<Content: View>: Primitive {
    public init(action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Content) {}
    public init(role: ButtonRole?, action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Content) {}
}
extension Button where Content == Text {
    public init(_ title: LocalizedStringKey, action: @escaping @MainActor () -> Void) {}
    public init(_ title: LocalizedStringKey, role: ButtonRole?, action: @escaping @MainActor () -> Void) {}
}
public struct Menu<Content: View, Label: View>: Primitive {
    public init(@ViewBuilder content: () -> Content, @ViewBuilder label: () -> Label) {}
}
public struct VerticalAlignment: Sendable { public static let center = VerticalAlignment() }
public struct HorizontalAlignment: Sendable { public static let center = HorizontalAlignment() }
public struct HStack<Content: View>: Primitive {
    public init(
        alignment: VerticalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content
    ) {}
}
public struct VStack<Content: View>: Primitive {
    public init(
        alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content
    ) {}
}
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content>: Primitive where Content: View {
    public func onDelete(perform action: ((IndexSet) -> Void)?) -> some View { EmptyView() }
}
extension ForEach where ID == Data.Element.ID, Data.Element: Identifiable {
    public init(_ data: Data, @ViewBuilder content: @escaping (Data.Element) -> Content) {}
}
extension ForEach {
    public init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content)
    {}
}
public struct Axis: Sendable {
    public struct Set: OptionSet, Sendable {
        public let rawValue: Int8
        public init(rawValue: Int8) { self.rawValue = rawValue }
        public static let horizontal = Set(rawValue: 1)
        public static let vertical = Set(rawValue: 2)
    }
}
public struct ScrollView<Content: View>: Primitive {
    public init(_ axes: Axis.Set = .vertical, @ViewBuilder content: () -> Content) {}
}
public struct List<Content: View>: Primitive { public init(@ViewBuilder content: () -> Content) {} }
public struct Form<Content: View>: Primitive { public init(@ViewBuilder content: () -> Content) {} }
public struct Section<Content: View>: Primitive {
    public init(@ViewBuilder content: () -> Content) {}
    public init(_ title: LocalizedStringKey, @ViewBuilder content: () -> Content) {}
}
public struct ViewThatFits<Content: View>: Primitive {
    public init(in axes: Axis.Set, @ViewBuilder content: () -> Content) {}
}
public protocol TimelineSchedule {}
public struct AnimationTimelineSchedule: TimelineSchedule {}
extension TimelineSchedule where Self == AnimationTimelineSchedule { public static var animation: Self { Self() } }
public struct TimelineViewContext { public var date: Date { fatalError("a stub") } }
public struct TimelineView<Schedule: TimelineSchedule, Content: View>: Primitive {
    public init(_ schedule: Schedule, @ViewBuilder content: @escaping (TimelineViewContext) -> Content) {}
}
public struct GridItem: Sendable {
    public enum Size: Sendable { case adaptive(minimum: CGFloat, maximum: CGFloat = .infinity) }
    public init(_ size: Size) {}
}
public struct LazyVGrid<Content: View>: Primitive {
    public init(columns: [GridItem], @ViewBuilder content: () -> Content) {}
}
public struct UnitPoint: Sendable { public static let bottom = UnitPoint() }
public struct Group<Content: View>: Primitive { public init(@ViewBuilder content: () -> Content) {} }
public struct GeometryProxy { public var size: CGSize { .zero } }
public struct GeometryReader<Content: View>: Primitive {
    public init(@ViewBuilder content: @escaping (GeometryProxy) -> Content) {}
}
public struct NavigationStack<Root: View>: Primitive { public init(@ViewBuilder root: () -> Root) {} }
public struct NavigationLink<Destination: View>: Primitive {
    public init(_ title: LocalizedStringKey, @ViewBuilder destination: () -> Destination) {}
}
public struct TabView<Selection: Hashable, Content: View>: Primitive {
    public init(selection: Binding<Selection>, @ViewBuilder content: () -> Content) {}
}
public struct Toggle<Content: View>: Primitive {
    public init(isOn: Binding<Bool>, @ViewBuilder label: () -> Content) {}
}
extension Toggle where Content == Text { public init(_ title: LocalizedStringKey, isOn: Binding<Bool>) {} }
public struct Picker<Content: View, Selection: Hashable>: Primitive {
    public init(_ title: LocalizedStringKey, selection: Binding<Selection>, @ViewBuilder content: () -> Content) {}
}

// Drawing
public struct Color: Primitive, Sendable {
    public static let red = Color()
    public static let primary = Color()
    public static let secondary = Color()
}
public struct Font: Sendable {
    public static let title = Font()
    public static let title2 = Font()
    public static let title3 = Font()
    public static let caption = Font()
    public static let footnote = Font()
}
public struct Rectangle: Primitive {
    nonisolated public init() {}
    public func stroke(_ color: Color) -> some View { EmptyView() }
}
public struct Path: Sendable {
    public init() {}
    public mutating func move(to point: CGPoint) {}
    public mutating func addLine(to point: CGPoint) {}
    public mutating func addLines(_ points: [CGPoint]) {}
}
public struct StrokeStyle: Sendable {
    public init(lineWidth: CGFloat = 1, lineCap: CGLineCap = .butt, lineJoin: CGLineJoin = .miter) {}
}
public struct GraphicsContext {
    public struct Shading {
        public static func color(_ color: Color) -> Shading { Shading() }
    }
    public func stroke(_ path: Path, with shading: Shading, style: StrokeStyle) {}
}
public struct Canvas<Symbols: View>: Primitive {}
extension Canvas where Symbols == EmptyView {
    public init(renderer: @escaping (inout GraphicsContext, CGSize) -> Void) {}
}

// Gestures

@MainActor @preconcurrency public protocol Gesture { associatedtype Value }
public struct DragGesture: Gesture {
    public struct Value: Sendable {
        public var location: CGPoint { .zero }
        public var translation: CGSize { .zero }
    }
    nonisolated public init(minimumDistance: CGFloat = 10) {}
    public func onChanged(_ action: @escaping (Value) -> Void) -> DragGesture { self }
    public func onEnded(_ action: @escaping (Value) -> Void) -> DragGesture { self }
}
extension View { public func gesture(_ gesture: some Gesture) -> some View { self } }

// UIKit inside of SwiftUI
public struct UIViewRepresentableContext<Representable> {}
@MainActor @preconcurrency public protocol UIViewRepresentable: View where Body == Never {
    associatedtype UIViewType: UIView
    typealias Context = UIViewRepresentableContext<Self>
    @MainActor @preconcurrency func makeUIView(context: Context) -> UIViewType
    @MainActor @preconcurrency func updateUIView(_ uiView: UIViewType, context: Context)
}
extension UIViewRepresentable { public var body: Never { fatalError("a stub") } }
// Modifiers
public enum ContentMode: Sendable { case fit, fill }
public struct AccessibilityTraits: Sendable { public static let updatesFrequently = AccessibilityTraits() }
public struct AccessibilityChildBehavior: Sendable {
    public static let contain = AccessibilityChildBehavior()
    public static let ignore = AccessibilityChildBehavior()
    public static let combine = AccessibilityChildBehavior()
}
public protocol PrimitiveButtonStyle {}
public struct BorderedButtonStyle: PrimitiveButtonStyle {}
public struct BorderedProminentButtonStyle: PrimitiveButtonStyle {}
extension PrimitiveButtonStyle where Self == BorderedButtonStyle { public static var bordered: Self { Self() } }
extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
    public static var borderedProminent: Self { Self() }
}
public struct EventModifiers: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let command = EventModifiers(rawValue: 1)
    public static let shift = EventModifiers(rawValue: 2)
}
public struct KeyEquivalent: ExpressibleByExtendedGraphemeClusterLiteral, Sendable {
    public init(extendedGraphemeClusterLiteral: Character) {}
}
public struct EnabledTextSelectability: Sendable { public static let enabled = EnabledTextSelectability() }
public struct ToolbarItemPlacement: Sendable {
    public static let primaryAction = ToolbarItemPlacement()
    public static let cancellationAction = ToolbarItemPlacement()
}
public struct ToolbarItem<Content: View>: ToolbarContent {
    public init(placement: ToolbarItemPlacement, @ViewBuilder content: () -> Content) {}
}
@MainActor @preconcurrency public protocol ToolbarContent {}
public struct ToolbarItems: ToolbarContent { nonisolated init() {} }
@resultBuilder public struct ToolbarContentBuilder {
    public static func buildBlock<each Content: ToolbarContent>(_ content: repeat each Content) -> some ToolbarContent {
        ToolbarItems()
    }
}

extension View {
    public func font(_ font: Font?) -> some View { self }
    public func layoutPriority(_ value: Double) -> some View { self }
    public func padding() -> some View { self }
    public func defaultScrollAnchor(_ anchor: UnitPoint?) -> some View { self }
    public func disabled(_ disabled: Bool) -> some View { self }
    public func frame(width: CGFloat? = nil, height: CGFloat? = nil) -> some View { self }
    public func frame(minWidth: CGFloat? = nil, minHeight: CGFloat? = nil) -> some View { self }
    public func aspectRatio(_ ratio: CGFloat?, contentMode: ContentMode) -> some View { self }
    public func overlay<Content: View>(_ overlay: Content) -> some View { self }
    public func buttonStyle<S: PrimitiveButtonStyle>(_ style: S) -> some View { self }
    public func navigationTitle(_ title: LocalizedStringKey) -> some View { self }
    public func keyboardShortcut(_ key: KeyEquivalent, modifiers: EventModifiers) -> some View { self }
    public func textSelection(_ selectability: EnabledTextSelectability) -> some View { self }
    public func onChange<V: Equatable>(of value: V, _ action: @escaping () -> Void) -> some View { self }
    public func tabItem<Content: View>(@ViewBuilder _ label: () -> Content) -> some View { self }
    public func tag<V: Hashable>(_ tag: V) -> some View { self }
    public func toolbar<Content: ToolbarContent>(@ToolbarContentBuilder content: () -> Content) -> some View { self }
    public func onAppear(perform action: (() -> Void)? = nil) -> some View { self }
    public func task(_ action: @escaping @isolated(any) @Sendable () async -> Void) -> some View { self }
    public func alert<A: View, M: View>(
        _ title: LocalizedStringKey, isPresented: Binding<Bool>, @ViewBuilder actions: () -> A,
        @ViewBuilder message: () -> M
    ) -> some View { self }
    public func accessibilityLabel(_ label: LocalizedStringKey) -> some View { self }
    public func accessibilityLabel(_ label: Text) -> some View { self }
    public func accessibilityHidden(_ hidden: Bool) -> some View { self }
    public func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View { self }
    public func accessibilityElement(children: AccessibilityChildBehavior) -> some View { self }
}
