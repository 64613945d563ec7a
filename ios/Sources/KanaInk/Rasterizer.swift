/// Makes the picture of a drawing, as the head of `fastetl/ink/drawings.py` specifies; all arithmetic is in Double.
///
/// The picture is made of strokes, not of the screen: guide lines, dark mode and the screen's scale do not matter.
public enum Rasterizer {
    /// Side, in pixels, of the picture that the model takes.
    public static let side = 128

    struct Segment {
        var ax, ay, bx, by, ra, rb: Double
    }

    /// The picture of a drawing, 0–255, ink high, rows from the top.
    public static func picture(of drawing: Drawing, side: Int = Rasterizer.side) -> Picture {
        var covered = [Double](repeating: 0, count: side * side)
        for segment in segments(of: drawing, side: side) { cover(segment, side, &covered) }
        return Picture(side: side, pixels: covered.map { UInt8(255 * $0 + 0.5) })
    }

    /// Steps 1 to 3: the canvas scaled to fit and centred, radii from the pen and its pressure.
    static func segments(of drawing: Drawing, side: Int) -> [Segment] {
        let size = Double(side)
        let scale = size / max(drawing.width, drawing.height)
        let right = (size - drawing.width * scale) / 2
        let down = (size - drawing.height * scale) / 2
        var segments: [Segment] = []
        for stroke in drawing.strokes where stroke.count > 0 {
            let x = stroke.x.map { $0 * scale + right }
            let y = stroke.y.map { $0 * scale + down }
            let pressure = stroke.pressure ?? [Double](repeating: 0.5, count: stroke.count)
            let radius = pressure.map { drawing.pen * size / 2 * (0.5 + $0) }
            for b in min(1, stroke.count - 1)..<stroke.count {
                let a = max(b - 1, 0)
                segments.append(Segment(ax: x[a], ay: y[a], bx: x[b], by: y[b], ra: radius[a], rb: radius[b]))
            }
        }
        return segments
    }

    /// Steps 4 and 5 for one segment, over the pixels that it can reach.
    private static func cover(_ s: Segment, _ side: Int, _ covered: inout [Double]) {
        let reach = max(s.ra, s.rb) + 0.5  // where coverage ends
        let columns = span(min(s.ax, s.bx) - reach, max(s.ax, s.bx) + reach, side)
        let rows = span(min(s.ay, s.by) - reach, max(s.ay, s.by) + reach, side)
        let dx = s.bx - s.ax
        let dy = s.by - s.ay
        let length = dx * dx + dy * dy
        for row in rows {
            let py = Double(row) + 0.5 - s.ay
            for column in columns {
                let px = Double(column) + 0.5 - s.ax
                let t = length > 0 ? min(max((px * dx + py * dy) / length, 0), 1) : 0
                let radius = length > 0 ? s.ra + t * (s.rb - s.ra) : max(s.ra, s.rb)
                let ex = px - t * dx
                let ey = py - t * dy
                let c = min(max(radius + 0.5 - (ex * ex + ey * ey).squareRoot(), 0), 1)
                let at = row * side + column
                if c > covered[at] { covered[at] = c }
            }
        }
    }

    private static func span(_ low: Double, _ high: Double, _ side: Int) -> Range<Int> {
        let first = Int(min(max(low.rounded(.down), 0), Double(side)))
        let last = Int(min(max(high.rounded(.up), 0), Double(side)))
        return first..<max(first, last)
    }
}
