import KanaApp
import KanaInk
import SwiftUI
import UIKit

/// A help for writing, drawn under the ink. It is never part of the picture.
enum Aid: Equatable {
    case none
    /// The contour of a character.
    case outline([[InkPoint]])
    /// Its strokes, numbered.
    case trace([[InkPoint]])
}

/// The canvas. Touches become points, of which the picture for the model is made: guide lines and dark mode are no part
/// of it.
final class InkView: UIView {
    /// The ink to which touches add.
    var ink: LiveReader?
    /// The finished strokes. They are drawn, and with them the stroke under the pen.
    var strokes: [Stroke] = [] { didSet { setNeedsDisplay() } }
    var showsGrid = true { didSet { setNeedsDisplay() } }
    var aid = Aid.none { didSet { setNeedsDisplay() } }
    private var touch: UITouch?
    private var beginTime = 0.0
    /// One of three fingers, and where its swipe began: to the left it undoes, to the right it redoes, as in the system.
    private var swipe: (touch: UITouch, x: CGFloat)?

    override init(frame: CGRect) {
        super.init(frame: frame)
        isMultipleTouchEnabled = true
        contentMode = .redraw
        isAccessibilityElement = true
        // With VoiceOver on, one can still draw.
        accessibilityTraits = .allowsDirectInteraction
        accessibilityLabel = String(localized: "Canvas")
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) { nil }

    override var canBecomeFirstResponder: Bool { true }
    override var editingInteractionConfiguration: UIEditingInteractionConfiguration { .none }

    override func didMoveToWindow() {
        super.didMoveToWindow()
        if window != nil { becomeFirstResponder() }
    }

    override func motionEnded(_ motion: UIEvent.EventSubtype, with event: UIEvent?) {
        if motion == .motionShake, UIAccessibility.isShakeToUndoEnabled { ink?.undo() }
    }

    override func layoutSubviews() {
        super.layoutSubviews()
        ink?.resize(width: Double(bounds.width), height: Double(bounds.height))
        setNeedsDisplay()
    }

    override func touchesBegan(_ touches: Set<UITouch>, with event: UIEvent?) {
        if let all = event?.touches(for: self), all.count >= 3, let finger = all.first {
            touch = nil
            swipe = (finger, finger.preciseLocation(in: self).x)
            ink?.cancel()
        }
        guard touch == nil, swipe == nil, let first = touches.first, let ink else { return }
        touch = first
        beginTime = first.timestamp
        ink.device = first.type == .pencil ? .pen : .touch
        becomeFirstResponder()
        ink.begin(point(first))
        setNeedsDisplay()
    }

    override func touchesMoved(_ touches: Set<UITouch>, with event: UIEvent?) {
        guard let touch, touches.contains(touch) else { return }
        // The screen reports more points than it draws frames.
        let points = (event?.coalescedTouches(for: touch) ?? [touch]).map(point)
        ink?.extend(points)
        setNeedsDisplay()
    }

    override func touchesEnded(_ touches: Set<UITouch>, with event: UIEvent?) {
        if let (finger, start) = swipe, touches.contains(finger) {
            swipe = nil
            let distance = finger.preciseLocation(in: self).x - start
            if distance < -40 { ink?.undo() } else if distance > 40 { ink?.redo() }
        }
        guard let endedTouch = touch, touches.contains(endedTouch) else { return }
        touch = nil
        ink?.extend([point(endedTouch)])
        ink?.end()
        setNeedsDisplay()
    }

    override func touchesCancelled(_ touches: Set<UITouch>, with event: UIEvent?) {
        swipe = nil
        guard let cancelledTouch = touch, touches.contains(cancelledTouch) else { return }
        touch = nil
        ink?.cancel()
        setNeedsDisplay()
    }

    private func point(_ touch: UITouch) -> InkPoint {
        let location = touch.preciseLocation(in: self)
        // A force of 1 is that of an average touch: it draws as wide as a finger, whose pressure counts as a half.
        let pressure = touch.type == .pencil ? min(max(Double(touch.force) / 2, 0), 1) : nil
        return InkPoint(
            x: Double(location.x), y: Double(location.y), pressure: pressure, time: (touch.timestamp - beginTime) * 1000
        )
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
        if bounds.width <= bounds.height {
            context.move(to: CGPoint(x: bounds.midX, y: bounds.minY))
            context.addLine(to: CGPoint(x: bounds.midX, y: bounds.maxY))
        }
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
        let pen = side * CGFloat(ink?.pen ?? Drawing.pen)
        for stroke in strokes + (ink?.current.map { [$0] } ?? []) {
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

/// `InkView` for SwiftUI, which updates it whenever one of these values changes.
struct InkCanvas: UIViewRepresentable {
    let ink: LiveReader
    let strokes: [Stroke]
    let showsGrid: Bool
    let aid: Aid
    let hint: String
    /// What VoiceOver says of the canvas when it is touched.
    let value: String

    func makeUIView(context: Context) -> InkView { InkView(frame: .zero) }
    func updateUIView(_ view: InkView, context: Context) { show(in: view) }

    func show(in view: InkView) {
        view.ink = ink
        view.strokes = strokes
        view.showsGrid = showsGrid
        view.aid = aid
        view.accessibilityHint = hint
        view.accessibilityValue = value
    }
}

/// A wide canvas. One finger writes, two move the paper. It also moves by itself when the pen has rested near its end.
final class Strip: UIScrollView {
    let paper = InkView(frame: .zero)
    /// Width of the paper in heights of the canvas; it is at least as wide as the canvas.
    var heights = 1.0 { didSet { if heights != oldValue { setNeedsLayout() } } }
    private var followTask: Task<Void, any Error>?

    override init(frame: CGRect) {
        super.init(frame: frame)
        addSubview(paper)
        delaysContentTouches = false
        (panGestureRecognizer.minimumNumberOfTouches, panGestureRecognizer.maximumNumberOfTouches) = (2, 2)
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) { nil }

    override func layoutSubviews() {
        super.layoutSubviews()
        let size = CGSize(width: max(bounds.width, bounds.height * heights), height: bounds.height)
        if contentSize != size {
            paper.frame = CGRect(origin: .zero, size: size)
            contentSize = size
        }
    }

    /// Move the paper to the end of the ink, once the pen has rested: it must not move while one writes.
    func follow() {
        followTask?.cancel()
        followTask = Task {
            try await Task.sleep(for: .milliseconds(700))
            let end = CGFloat(paper.strokes.compactMap { $0.x.max() }.max() ?? 0)
            let isHidden = end > contentOffset.x + bounds.width - bounds.height / 2
            guard isHidden || paper.strokes.isEmpty, paper.ink?.current == nil else { return }
            let left = min(max(end - 0.4 * bounds.width, 0), contentSize.width - bounds.width)
            setContentOffset(CGPoint(x: left, y: 0), animated: !UIAccessibility.isReduceMotionEnabled)
        }
    }
}

struct WideCanvas: UIViewRepresentable {
    let canvas: InkCanvas
    let heights: Double

    func makeUIView(context: Context) -> Strip { Strip(frame: .zero) }

    func updateUIView(_ view: Strip, context: Context) {
        canvas.show(in: view.paper)
        view.heights = heights
        view.follow()
    }
}
