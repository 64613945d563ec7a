import KanaInk
import KanaLines
import KanaReading
import Observation

/// The ink and its reading: what every screen with a canvas is made of. It holds no view and no model's object.
@MainActor @Observable
public final class LiveReader {
    /// The strokes, with undo and redo, as of the last change; while a stroke grows, without its new points.
    public private(set) var editor = DrawingEditor()
    /// The verdict on the ink as it is, nil while it is not read yet.
    public private(set) var verdict: Verdict?
    /// The lines of a wide canvas, as of the last reading.
    public private(set) var lines: [LineText] = []
    /// Why there is no verdict, in words for a developer; nil where there is no trouble.
    public private(set) var failure: String?
    /// Called after each change of the above.
    @ObservationIgnored public var changed: @MainActor () -> Void = {}
    /// Which characters compete.
    @ObservationIgnored public var script = Script.kana { didSet { if script != oldValue { inkChanged() } } }
    /// What drew the last stroke.
    @ObservationIgnored public var device = Sample.Device.unknown
    /// Size of the canvas in the strokes' unit.
    @ObservationIgnored public private(set) var canvas = (width: 0.0, height: 0.0)
    /// Milliseconds after a stroke's end at which the ink is read, if no other begins before.
    static let delay = 150
    /// The reading that is waited for or made.
    @ObservationIgnored public private(set) var reading: Task<Void, Never>?
    /// As it is now: a point more is no change for the screens around the canvas, which draws it itself.
    @ObservationIgnored private var now = DrawingEditor()

    /// Counts the changes of the ink: an answer to an older one is dropped.
    @ObservationIgnored private var revision = 0
    @ObservationIgnored private let reader: any CharacterReading
    @ObservationIgnored private let clock: Clock
    @ObservationIgnored private let isLive: Bool
    @ObservationIgnored private let lineReader: LineReader?

    /// `isLive`: read after each stroke; otherwise only `readNow` reads, and nothing tells the answer before.
    /// `readsLines`: the canvas is wide, and words and lines are read.
    public init(reader: any CharacterReading, clock: Clock, isLive: Bool = true, readsLines: Bool = false) {
        self.reader = reader
        lineReader = readsLines ? LineReader(reader: reader) : nil
        self.clock = clock
        self.isLive = isLive
    }

    /// The stroke under the pen, nil while the pen is up.
    public var current: Stroke? { now.current }

    /// The drawing as it is, nil where the canvas has no size.
    public var drawing: Drawing? { try? now.drawing(width: canvas.width, height: canvas.height, pen: pen) }

    /// Width of the pen, as a fraction of the canvas' longer side.
    public var pen: Double {
        lineReader == nil ? Drawing.pen : 0.035 * canvas.height / max(canvas.width, canvas.height, 1)
    }

    /// The canvas was laid out. Strokes are scaled with its height, so that a turned phone keeps what was written.
    public func resize(width: Double, height: Double) {
        guard width > 0, height > 0, width != canvas.width || height != canvas.height else { return }
        if canvas.height > 0, canvas.height != height, !now.isEmpty {
            now.scale(by: height / canvas.height)
            editor = now
        }
        canvas = (width, height)
    }

    /// Go on with a drawing of an earlier launch.
    public func restore(_ drawing: Drawing) {
        now = DrawingEditor(strokes: drawing.strokes)
        canvas = (drawing.width, drawing.height)
        inkChanged()
    }

    public func begin(_ point: InkPoint) {
        now.begin(point)
        // Where no more points fit, the ink stays as it is and is read again.
        guard now.isDrawing else { return inkChanged() }
        reading?.cancel()
        revision += 1
        verdict = nil
        editor = now
        changed()
    }

    public func extend(_ points: [InkPoint]) {
        for point in points { now.extend(point) }
    }

    public func end() { if now.end() { inkChanged() } }

    public func cancel() {
        now.cancel()
        inkChanged()
    }

    public func undo() { if now.undo() { inkChanged() } }
    public func redo() { if now.redo() { inkChanged() } }
    public func clear() { if now.clear() { inkChanged() } }

    /// A new character: nothing to undo.
    public func reset() {
        now.reset()
        inkChanged()
    }

    /// Read the ink now and give its verdict; nil where it changed meanwhile or cannot be read (`failure` says why).
    public func readNow() async -> Verdict? {
        reading?.cancel()
        if now.end() { editor = now }
        guard !now.isEmpty else { return .nothing }
        revision += 1
        let answer = await read()
        if isLive { verdict = answer }
        return answer
    }

    private func inkChanged() {
        reading?.cancel()
        revision += 1
        editor = now
        verdict = now.isEmpty ? .nothing : nil
        failure = nil
        if now.isEmpty {
            lines = []
        } else if isLive {
            reading = Task { [weak self, revision] in await self?.readLater(revision) }
        }
        changed()
    }

    private func readLater(_ asked: Int) async {
        do { try await clock.sleep(Self.delay) } catch { return }
        if asked == revision { verdict = await read() ?? verdict }
        changed()
    }

    private func read() async -> Verdict? {
        let asked = revision
        guard let drawing else { return nil }
        do {
            let lines = try await lineReader?.read(drawing, script: script) ?? []
            let verdict = try await lineReader == nil ? reader.verdict(on: drawing, script: script) : Verdict(lines)
            guard asked == revision else { return nil }
            failure = nil
            self.lines = lines
            return verdict
        } catch {
            if asked == revision { failure = "\(error)" }
            return nil
        }
    }
}

extension Verdict {
    /// Lines as one answer, as sure as the character that is least so.
    fileprivate init(_ lines: [LineText]) {
        let least = lines.flatMap(\.characters).map(\.confidence).min()
        let text = lines.map(\.text).joined(separator: "\n")
        self = least.map { .read([Answer(label: text, probability: $0)]) } ?? .nothing
    }
}
