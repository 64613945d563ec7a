import KanaInk

/// Strokes while they are written, one after the other at an even pace.
public enum StrokeOrder {
    /// Length written in a second, in sides of the box.
    static let pace = 1.2
    /// Seconds between two strokes.
    static let pause = 0.3

    /// How many seconds it takes to write the strokes.
    public static func duration(_ strokes: [[InkPoint]]) -> Double {
        strokes.reduce(0) { $0 + length($1) / pace + pause }
    }

    /// The part of the strokes that is written after so many seconds. `strokes`: in a box of side 1.
    public static func written(_ strokes: [[InkPoint]], after seconds: Double) -> [[InkPoint]] {
        var remainder = seconds
        var written: [[InkPoint]] = []
        for stroke in strokes where remainder > 0 {
            written.append(begin(of: stroke, length: remainder * pace))
            remainder -= length(stroke) / pace + pause
        }
        return written
    }

    private static func begin(of stroke: [InkPoint], length: Double) -> [InkPoint] {
        var remainder = length
        var points = Array(stroke.prefix(1))
        for (a, b) in zip(stroke, stroke.dropFirst()) where remainder > 0 {
            let share = min(remainder / max(distance(a, b), 1e-9), 1)
            points.append(InkPoint(x: a.x + share * (b.x - a.x), y: a.y + share * (b.y - a.y)))
            remainder -= distance(a, b)
        }
        return points
    }

    private static func length(_ stroke: [InkPoint]) -> Double {
        zip(stroke, stroke.dropFirst()).reduce(0) { $0 + distance($1.0, $1.1) }
    }

    private static func distance(_ a: InkPoint, _ b: InkPoint) -> Double {
        ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
    }
}
