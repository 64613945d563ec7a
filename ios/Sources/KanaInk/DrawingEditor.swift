/// The strokes of a drawing in progress, with undo and redo. Clearing can be undone, too.
public struct DrawingEditor: Equatable, Sendable {
    /// The finished strokes.
    public private(set) var strokes: [Stroke]
    /// The stroke under the pen, nil while the pen is up.
    public private(set) var current: Stroke?
    private var pastStrokes: [[Stroke]] = []
    private var futureStrokes: [[Stroke]] = []

    /// Starts with strokes that cannot be undone.
    public init(strokes: [Stroke] = []) { self.strokes = strokes }

    /// The finished strokes and the one under the pen.
    public var all: [Stroke] { current.map { strokes + [$0] } ?? strokes }
    public var isDrawing: Bool { current != nil }
    public var isEmpty: Bool { strokes.isEmpty && current == nil }
    public var canUndo: Bool { current != nil || !pastStrokes.isEmpty }
    public var canRedo: Bool { current == nil && !futureStrokes.isEmpty }

    private var pointCount: Int { strokes.reduce(current?.count ?? 0) { $0 + $1.count } }

    /// Put the pen down. A stroke that is still being drawn is ended first.
    public mutating func begin(_ point: InkPoint) {
        end()
        guard strokes.count < Drawing.maxStrokes, pointCount < Drawing.maxPoints else { return }
        current = Stroke([point])
    }

    /// Move the pen; nothing happens while it is up. A point equal to the last one, and points beyond
    /// `Drawing.maxPoints`, are left out.
    public mutating func extend(_ point: InkPoint) {
        guard current != nil, pointCount < Drawing.maxPoints else { return }
        if current?.x.last == point.x && current?.y.last == point.y { return }
        current?.append(point)
    }

    /// Lift the pen. Returns whether there was a stroke to end.
    @discardableResult
    public mutating func end() -> Bool {
        guard let ended = current else { return false }
        current = nil
        change(to: strokes + [ended])
        return true
    }

    /// Drop the stroke under the pen, as when the system cancels a touch.
    public mutating func cancel() { current = nil }

    /// Take back the stroke under the pen, or else the last change. Returns whether there was one.
    @discardableResult
    public mutating func undo() -> Bool {
        if current != nil {
            current = nil
            return true
        }
        guard let earlierStrokes = pastStrokes.popLast() else { return false }
        futureStrokes.append(strokes)
        strokes = earlierStrokes
        return true
    }

    /// Take back the last undo. Returns whether there was one.
    @discardableResult
    public mutating func redo() -> Bool {
        guard current == nil, let laterStrokes = futureStrokes.popLast() else { return false }
        pastStrokes.append(strokes)
        strokes = laterStrokes
        return true
    }

    /// Remove all strokes. Returns whether there were any.
    @discardableResult
    public mutating func clear() -> Bool {
        guard !isEmpty else { return false }
        end()
        change(to: [])
        return true
    }

    /// Start a new character: no strokes, and nothing to undo.
    public mutating func reset() { self = DrawingEditor() }

    /// The drawing of all strokes on a canvas of this size. Throws `DrawingError` if a side is not positive.
    public func drawing(width: Double, height: Double, pen: Double = Drawing.pen) throws -> Drawing {
        try Drawing(width: width, height: height, strokes: all, pen: pen)
    }

    /// Scale all strokes with the canvas, also those that were undone.
    public mutating func scale(by factor: Double) {
        let scaled = { (strokes: [Stroke]) in strokes.map { $0.mapped({ $0 * factor }, { $0 * factor }) } }
        strokes = scaled(strokes)
        current = current.map { scaled([$0])[0] }
        pastStrokes = pastStrokes.map(scaled)
        futureStrokes = futureStrokes.map(scaled)
    }

    private mutating func change(to newStrokes: [Stroke]) {
        pastStrokes.append(strokes)
        futureStrokes = []
        strokes = newStrokes
    }
}
