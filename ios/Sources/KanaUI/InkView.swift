#if canImport(SwiftUI) && canImport(UIKit)
import KanaInk
import KanaReading
import SwiftUI
import UIKit

/// What helps to write, under the ink and never part of the picture.
enum Aid: Equatable {
    case none
    /// The contour of a character.
    case outline([[InkPoint]])
    /// Its strokes, numbered.
    case trace([[InkPoint]])
}

/// The square to draw on. Touches become points; the picture for the model is made of those, not of what is seen here,
/// so that guide lines and dark mode are no part of it.
final class InkView: UIView {
    var ink: InkModel? { didSet { setNeedsDisplay() } }
    var showsGrid = true
    var aid = Aid.none
    private var touch: UITouch?
    private var began = 0.0

    override init(frame: CGRect) {
        super.init(frame: frame)
        isMultipleTouchEnabled = false
        contentMode = .redraw
        isAccessibilityElement = true
        // With VoiceOver on, one can still draw.
        accessibilityTraits = .allowsDirectInteraction
        accessibilityLabel = Phrase.canvas.translated
        accessibilityHint = Phrase.canvasHint.translated
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) { nil }

    /// What VoiceOver says of the canvas when it is touched.
    func describe() {
        guard let ink else { return }
        accessibilityValue = Phrase.strokes.string("\(ink.reader.editor.strokes.count)") + ". " + ink.status.string
    }

    override var canBecomeFirstResponder: Bool { true }

    override func didMoveToWindow() {
        super.didMoveToWindow()
        if window != nil { becomeFirstResponder() }
    }

    override func motionEnded(_ motion: UIEvent.EventSubtype, with event: UIEvent?) {
        guard motion == .motionShake, UIAccessibility.isShakeToUndoEnabled else { return }
        ink?.reader.undo()
        setNeedsDisplay()
    }

    override func layoutSubviews() {
        super.layoutSubviews()
        ink?.reader.resize(width: Double(bounds.width), height: Double(bounds.height))
        setNeedsDisplay()
    }

    override func touchesBegan(_ touches: Set<UITouch>, with event: UIEvent?) {
        guard touch == nil, let first = touches.first, let ink else { return }
        touch = first
        began = first.timestamp
        ink.device = first.type == .pencil ? .pen : .touch
        becomeFirstResponder()
        ink.reader.begin(point(first))
        setNeedsDisplay()
    }

    override func touchesMoved(_ touches: Set<UITouch>, with event: UIEvent?) {
        guard let touch, touches.contains(touch) else { return }
        // The screen reports more points than it draws frames.
        let points = (event?.coalescedTouches(for: touch) ?? [touch]).map(point)
        ink?.reader.extend(points)
        setNeedsDisplay()
    }

    override func touchesEnded(_ touches: Set<UITouch>, with event: UIEvent?) {
        guard let ended = touch, touches.contains(ended) else { return }
        touch = nil
        ink?.reader.extend([point(ended)])
        ink?.reader.end()
        setNeedsDisplay()
    }

    override func touchesCancelled(_ touches: Set<UITouch>, with event: UIEvent?) {
        guard let cancelled = touch, touches.contains(cancelled) else { return }
        touch = nil
        ink?.reader.cancel()
        setNeedsDisplay()
    }

    private func point(_ touch: UITouch) -> InkPoint {
        let place = touch.preciseLocation(in: self)
        let isPen = touch.type == .pencil && touch.maximumPossibleForce > 0
        let pressure = isPen ? min(max(Double(touch.force / touch.maximumPossibleForce), 0), 1) : nil
        return InkPoint(
            x: Double(place.x), y: Double(place.y), pressure: pressure, time: (touch.timestamp - began) * 1000)
    }

    override func draw(_ rect: CGRect) {
        guard let context = UIGraphicsGetCurrentContext() else { return }
        context.setFillColor(UIColor.secondarySystemBackground.cgColor)
        context.fill(bounds)
        context.setLineCap(.round)
        context.setLineJoin(.round)
        if showsGrid { drawGrid(context) }
        drawAid(context)
        drawInk(context)
    }

    private var side: CGFloat { max(bounds.width, bounds.height) }

    private func drawGrid(_ context: CGContext) {
        context.saveGState()
        context.setStrokeColor(UIColor.separator.cgColor)
        context.setLineWidth(1)
        context.setLineDash(phase: 0, lengths: [4, 4])
        context.move(to: CGPoint(x: bounds.midX, y: bounds.minY))
        context.addLine(to: CGPoint(x: bounds.midX, y: bounds.maxY))
        context.move(to: CGPoint(x: bounds.minX, y: bounds.midY))
        context.addLine(to: CGPoint(x: bounds.maxX, y: bounds.midY))
        context.strokePath()
        context.restoreGState()
    }

    private func drawAid(_ context: CGContext) {
        let pen = side * CGFloat(Drawing.pen)
        switch aid {
        case .none: break
        case .outline(let strokes):
            // A contour: wide lines, with narrower ones of the paper over them.
            for (width, colour) in [(pen * 1.6, UIColor.systemGray), (pen * 1.6 - 4, .secondarySystemBackground)] {
                context.setStrokeColor(colour.cgColor)
                context.setLineWidth(max(width, 1))
                for stroke in strokes { trace(stroke.map(onCanvas), context) }
            }
        case .trace(let strokes):
            context.setStrokeColor(UIColor.systemGray3.cgColor)
            context.setLineWidth(pen)
            for stroke in strokes { trace(stroke.map(onCanvas), context) }
            for (number, stroke) in strokes.enumerated() {
                guard let first = stroke.first.map(onCanvas) else { continue }
                let text = NSAttributedString(
                    string: "\(number + 1)",
                    attributes: [
                        .font: UIFont.preferredFont(forTextStyle: .caption1), .foregroundColor: UIColor.label,
                    ])
                text.draw(at: CGPoint(x: first.x - pen * 1.2, y: first.y - pen * 1.2))
            }
        }
    }

    private func onCanvas(_ point: InkPoint) -> CGPoint {
        CGPoint(x: CGFloat(point.x) * bounds.width, y: CGFloat(point.y) * bounds.height)
    }

    private func drawInk(_ context: CGContext) {
        context.setStrokeColor(UIColor.label.cgColor)
        let pen = side * CGFloat(Drawing.pen)
        for stroke in ink?.reader.editor.all ?? [] {
            let points = zip(stroke.x, stroke.y).map { CGPoint(x: $0, y: $1) }
            if let pressure = stroke.pressure {
                for k in points.indices.dropFirst() {
                    context.setLineWidth(pen * CGFloat(0.5 + (pressure[k - 1] + pressure[k]) / 2))
                    trace([points[k - 1], points[k]], context)
                }
            }
            if stroke.pressure == nil || points.count == 1 {
                context.setLineWidth(pen * CGFloat(0.5 + (stroke.pressure?.first ?? 0.5)))
                trace(points, context)
            }
        }
    }

    private func trace(_ points: [CGPoint], _ context: CGContext) {
        guard let first = points.first else { return }
        context.move(to: first)
        for point in points.count == 1 ? points[...] : points.dropFirst() { context.addLine(to: point) }
        context.strokePath()
    }
}

/// `InkView` for SwiftUI.
struct InkCanvas: UIViewRepresentable {
    let ink: InkModel
    let showsGrid: Bool
    var aid = Aid.none

    func makeUIView(context: Context) -> InkView {
        let view = InkView(frame: .zero)
        view.ink = ink
        return view
    }

    func updateUIView(_ view: InkView, context: Context) {
        if view.ink !== ink { view.ink = ink }
        view.showsGrid = showsGrid
        view.aid = aid
        view.describe()
        view.setNeedsDisplay()
    }
}
#endif
