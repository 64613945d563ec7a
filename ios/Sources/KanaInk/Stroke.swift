/// One point of the pen: x to the right and y down, in the canvas' units.
public struct InkPoint: Equatable, Sendable {
    public var x: Double
    public var y: Double
    /// 0–1, or nil if unknown, as for a finger.
    public var pressure: Double?
    /// Milliseconds from any start, or nil if unknown.
    public var time: Double?

    public init(x: Double, y: Double, pressure: Double? = nil, time: Double? = nil) {
        self.x = x
        self.y = y
        self.pressure = pressure
        self.time = time
    }
}

/// One line of the pen, as columns of equal length. In JSON it is that of `fastetl.Stroke`.
public struct Stroke: Equatable, Sendable, Codable {
    public private(set) var x: [Double]
    public private(set) var y: [Double]
    /// 0–1 for each point, or nil if it is not known for all.
    public private(set) var pressure: [Double]?
    /// Milliseconds from any start for each point, or nil if they are not known for all.
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

    /// Add a point. If its pressure or time is unknown, that is dropped for the whole stroke.
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
