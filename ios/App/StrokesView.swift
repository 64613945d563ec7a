import KanaApp
import KanaInk
import SwiftUI

/// Strokes in a box of side 1, as a small picture.
struct StrokesView: View {
    let strokes: [[InkPoint]]

    var body: some View {
        Canvas { context, size in
            for stroke in strokes {
                guard let first = stroke.first else { continue }
                let scaled = { (point: InkPoint) in CGPoint(x: point.x * size.width, y: point.y * size.height) }
                var path = Path()
                path.move(to: scaled(first))
                for point in stroke.count == 1 ? stroke[...] : stroke.dropFirst() { path.addLine(to: scaled(point)) }
                context.stroke(
                    path, with: .color(.primary),
                    style: StrokeStyle(lineWidth: size.width * Drawing.pen, lineCap: .round, lineJoin: .round))
            }
        }
        .frame(width: 96, height: 96)
        .overlay(Rectangle().stroke(Color.secondary))
    }
}

extension StrokesView {
    init(_ drawing: Drawing) {
        let side = max(drawing.width, drawing.height)
        strokes = drawing.strokes.map { zip($0.x, $0.y).map { InkPoint(x: $0 / side, y: $1 / side) } }
    }
}

/// A character that is written stroke by stroke, again and again; shown at once if motion is to be reduced.
struct StrokeOrderView: View {
    let strokes: [[InkPoint]]
    @State private var begin = Date()
    @Environment(\.accessibilityReduceMotion) private var isStill

    var body: some View {
        if isStill {
            StrokesView(strokes: strokes)
        } else {
            TimelineView(.animation) { time in
                let period = StrokeOrder.duration(strokes) + 1.5
                let seconds = time.date.timeIntervalSince(begin).truncatingRemainder(dividingBy: period)
                StrokesView(strokes: StrokeOrder.written(strokes, after: seconds))
            }
        }
    }
}
