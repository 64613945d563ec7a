/// One point of the pen: x to the right and y down, in the canvas' units.
public struct InkPoint: Equatable, Sendable {
    public var x: Double
    public var y: Double
    /// 0–1, or nil where it is not known (a finger).
    public var pressure: Double?
    /// Milliseconds from any begin, or nil.
    public var time: Double?

    public init(x: Double, y: Double, pressure: Double? = nil, time: Double? = nil) {
        self.x = x
        self.y = y
        self.pressure = pressure
        self.time = time
    }
}

/// One line of the pen, as columns of equal length: what `fastetl.Stroke` holds, under the same names in JSON.
public struct Stroke: Equatable, Sendable, Codable {
    public private(set) var x: [Double]
    public private(set) var y: [Double]
    /// For each point 0–1, or nil where it is not known for all.
    public private(set) var pressure: [Double]?
    /// For each point milliseconds from any begin, or nil where it is not known for all.
    public private(set) var time: [Double]?

    public init(_ points: [InkPoint] = []) {
        x = points.map(\.x)
        y = points.map(\.y)
        let pressures = points.compactMap(\.pressure)
        let times = points.compactMap(\.time)
        pressure = !points.isEmpty && pressures.count == points.count ? pressures : nil
        time = !points.isEmpty && times.count == points.count ? times : nil
    }

    public var count: Int { x.count }

    /// Add a point. A column that the point does not know is dropped for the whole stroke.
    public mutating func append(_ point: InkPoint) {
        if x.isEmpty {
            pressure = point.pressure.map { _ in [] }
            time = point.time.map { _ in [] }
        }
        if let value = point.pressure { pressure?.append(value) } else { pressure = nil }
        if let value = point.time { time?.append(value) } else { time = nil }
        x.append(point.x)
        y.append(point.y)
    }

    /// The same stroke with x and y mapped.
    public func mapped(_ x: (Double) -> Double, _ y: (Double) -> Double) -> Stroke {
        var copy = self
        copy.x = self.x.map(x)
        copy.y = self.y.map(y)
        return copy
    }
}
