/// When the ink is read, and which answers still count. Times are milliseconds of a clock that only goes forward.
///
/// A stroke that has ended is read after `delay`; not while the pen is down, and not if another stroke begins before.
/// An answer counts only if the ink has not changed since its picture was made.
public struct ReadingSchedule: Equatable, Sendable {
    /// How long after a stroke's end the ink is read.
    public static let delay = 150

    /// Counts the changes of the ink.
    public private(set) var revision = 0
    private var due: Int?

    public init() {}

    /// The pen was put down, or the ink became none: what was asked is stale, nothing is due.
    public mutating func stop() {
        revision += 1
        due = nil
    }

    /// A stroke ended or was taken back: read it after the delay.
    public mutating func start(at now: Int) {
        revision += 1
        due = now + Self.delay
    }

    /// Milliseconds until a reading is due, 0 if it is due now, nil if none is.
    public func wait(at now: Int) -> Int? { due.map { max($0 - now, 0) } }

    /// The revision to read now; nil if none is due. It is due once.
    public mutating func take(at now: Int) -> Int? {
        guard let due, now >= due else { return nil }
        self.due = nil
        return revision
    }

    /// Whether an answer to the picture of this revision still counts.
    public func accepts(_ answered: Int) -> Bool { answered == revision }
}
