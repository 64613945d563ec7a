import Foundation

/// Strokes on a canvas: what `fastetl.Drawing` holds, under the same names in JSON and with the same limits.
public struct Drawing: Equatable, Sendable {
    /// Width of the pen at medium pressure, as a fraction of the longer side of the canvas.
    public static let pen = 0.05
    /// Most strokes.
    public static let maxStrokes = 4_000
    /// Most points of all strokes together.
    public static let maxPoints = 80_000
    /// How far outside of the canvas a point may be, in longer sides of the canvas.
    public static let reach = 16.0

    /// Width of the canvas, in any unit.
    public let width: Double
    /// Height of the canvas, in the same unit.
    public let height: Double
    /// Width of the pen at medium pressure, as a fraction of the longer side: it does not depend on the canvas' size.
    public let pen: Double
    public let strokes: [Stroke]

    /// Throws `DrawingError` for numbers out of range or not finite, and for columns of different lengths.
    public init(width: Double, height: Double, strokes: [Stroke], pen: Double = Drawing.pen) throws {
        self.width = width
        self.height = height
        self.pen = pen
        self.strokes = strokes
        try check()
    }

    /// Whether there are no points.
    public var isEmpty: Bool { strokes.allSatisfy { $0.count == 0 } }

    private func check() throws {
        try Self.require("width", width, 1e-3...1e6)
        try Self.require("height", height, 1e-3...1e6)
        try Self.require("pen", pen, 1e-5...0.5)
        let points = strokes.reduce(0) { $0 + $1.count }
        guard strokes.count <= Self.maxStrokes, points <= Self.maxPoints else {
            throw DrawingError(
                name: "strokes", expected: "at most \(Self.maxStrokes) strokes and \(Self.maxPoints) points",
                found: "\(strokes.count) and \(points)")
        }
        let reach = Self.reach * max(width, height)
        for stroke in strokes {
            try Self.column("x", stroke.x, stroke.count, -reach...reach)
            try Self.column("y", stroke.y, stroke.count, -reach...reach)
            if let pressure = stroke.pressure { try Self.column("pressure", pressure, stroke.count, 0...1) }
            if let time = stroke.time { try Self.column("time", time, stroke.count, -1e15...1e15) }
        }
    }

    private static func require(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws {
        // NaN is in no range.
        guard range.contains(value) else {
            throw DrawingError(
                name: name, expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
        }
    }

    private static func column(
        _ name: String, _ values: [Double], _ count: Int, _ range: ClosedRange<Double>
    ) throws {
        guard values.count == count else {
            throw DrawingError(name: name, expected: "\(count) values, as x has", found: "\(values.count)")
        }
        for value in values { try require(name, value, range) }
    }
}

extension Drawing: Codable {
    private enum Key: String, CodingKey { case width, height, pen, strokes }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        try self.init(
            width: values.decode(Double.self, forKey: .width),
            height: values.decode(Double.self, forKey: .height),
            strokes: values.decode([Stroke].self, forKey: .strokes),
            pen: values.decodeIfPresent(Double.self, forKey: .pen) ?? Drawing.pen)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(width, forKey: .width)
        try values.encode(height, forKey: .height)
        try values.encode(pen, forKey: .pen)
        try values.encode(strokes, forKey: .strokes)
    }
}

/// A drawing with a value that is not allowed: which value, what was expected, what was found.
public struct DrawingError: KanaError, Equatable {
    public let name: String
    public let expected: String
    public let found: String

    public var description: String { "drawing: \(name): expected \(expected), found \(found)" }
}

/// An error of this package. Its `description`, and so its `localizedDescription`, is one line for developers.
public protocol KanaError: LocalizedError, CustomStringConvertible {}

extension KanaError {
    public var errorDescription: String? { description }
}
