import KanaInk

/// Something that reads a picture: the Core ML model in the app, a stand-in in tests.
public protocol CharacterReading: Sendable {
    /// What the package says of itself; loads it where it is not loaded yet.
    func facts() async throws -> ModelFacts
    /// Every label with its probability.
    func probabilities(of picture: Picture) async throws -> [String: Double]
}

/// The ink and its reading: what every screen with a canvas is made of. It holds no view and no model's object.
@MainActor
public final class LiveReader {
    public private(set) var editor = DrawingEditor()
    /// The verdict on the ink as it is, nil while it is not read yet.
    public private(set) var verdict: Verdict?
    /// Why there is no verdict, in words for a developer; nil where there is no trouble.
    public private(set) var failure: String?
    /// Called after each change of the above but for points that a stroke grows by.
    public var changed: @MainActor () -> Void = {}
    /// Which characters compete.
    public var script: Script = .kana { didSet { if script != oldValue { inkChanged() } } }
    /// Size of the canvas in the strokes' unit.
    public private(set) var canvas = (width: 0.0, height: 0.0)
    /// The reading that is waited for or made.
    public private(set) var reading: Task<Void, Never>?

    private var schedule = ReadingSchedule()
    private let reader: any CharacterReading
    private let now: @MainActor () -> Int
    private let sleep: @Sendable (Int) async throws -> Void

    /// `now`: milliseconds of a clock that only goes forward. `sleep`: waits so many milliseconds, throws if cancelled.
    public init(
        reader: any CharacterReading, now: @escaping @MainActor () -> Int,
        sleep: @escaping @Sendable (Int) async throws -> Void
    ) {
        self.reader = reader
        self.now = now
        self.sleep = sleep
    }

    /// The drawing as it is, nil where the canvas has no size.
    public var drawing: Drawing? { try? editor.drawing(width: canvas.width, height: canvas.height) }

    /// The canvas was laid out. Strokes are scaled along, so that a turned phone keeps the character.
    public func resize(width: Double, height: Double) {
        guard width > 0, height > 0, width != canvas.width || height != canvas.height else { return }
        if canvas.width > 0, !editor.isEmpty {
            editor.scale(fromWidth: canvas.width, height: canvas.height, toWidth: width, height: height)
        }
        canvas = (width, height)
    }

    public func begin(_ point: InkPoint) {
        editor.begin(point)
        // Where no more points fit, the ink stays as it is and is read again.
        guard editor.isDrawing else { return inkChanged() }
        schedule.stop()
        reading?.cancel()
        verdict = nil
        changed()
    }

    public func extend(_ points: [InkPoint]) {
        for point in points { editor.extend(point) }
    }

    public func end() { if editor.end() { inkChanged() } }

    public func cancel() {
        editor.cancel()
        inkChanged()
    }

    public func undo() { if editor.undo() { inkChanged() } }
    public func redo() { if editor.redo() { inkChanged() } }
    public func clear() { if editor.clear() { inkChanged() } }

    /// A new character: nothing to undo.
    public func reset() {
        editor.reset()
        inkChanged()
    }

    /// Read the ink now and give its verdict; nil where it changed meanwhile or cannot be read (`failure` says why).
    public func readNow() async -> Verdict? {
        reading?.cancel()
        editor.end()
        schedule.start(at: now() - ReadingSchedule.delay)
        guard let revision = schedule.take(at: now()) else { return nil }
        await read(revision)
        return schedule.accepts(revision) ? verdict : nil
    }

    private func inkChanged() {
        reading?.cancel()
        verdict = nil
        failure = nil
        if editor.isEmpty {
            schedule.stop()
            verdict = .nothing
        } else {
            schedule.start(at: now())
            reading = Task { [weak self] in await self?.readWhenDue() }
        }
        changed()
    }

    private func readWhenDue() async {
        guard let wait = schedule.wait(at: now()) else { return }
        do { try await sleep(wait) } catch { return }
        if let revision = schedule.take(at: now()) { await read(revision) }
    }

    private func read(_ revision: Int) async {
        guard let drawing else { return }
        do {
            let facts = try await reader.facts()
            let found = try await reader.probabilities(of: Rasterizer.picture(of: drawing))
            guard schedule.accepts(revision) else { return }
            verdict = try Verdict(probabilities: found, facts: facts, script: script)
            failure = nil
        } catch {
            guard schedule.accepts(revision) else { return }
            verdict = nil
            failure = "\(error)"
        }
        changed()
    }
}
