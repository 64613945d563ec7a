import KanaInk
import KanaLines
import KanaReading
import Observation

/// The ink of a canvas and what is read in it. Every screen with a canvas has one.
@MainActor @Observable
public final class LiveReader {
    /// The strokes, with undo and redo. While a stroke is drawn, its new points are not in it yet.
    public private(set) var editor = DrawingEditor()
    /// The verdict on the present ink; nil until it is read.
    public private(set) var verdict: Verdict?
    /// The lines of a wide canvas at the last reading.
    public private(set) var lines: [LineText] = []
    /// Why there is no verdict, in words for a developer; nil if nothing failed.
    public private(set) var failure: String?
    /// Is called after each change of the properties above, but for the first point of a stroke, which is not saved.
    @ObservationIgnored public var changed: @MainActor () -> Void = {}
    /// The characters that compete.
    @ObservationIgnored public var script = Script.kana { didSet { if script != oldValue { inkChanged() } } }
    /// The device that drew the last stroke.
    @ObservationIgnored public var device = Sample.Device.unknown
    /// Size of the canvas in the strokes' unit.
    @ObservationIgnored public private(set) var canvas = (width: 0.0, height: 0.0)
    /// The ink is read so many milliseconds after a stroke ends, unless another begins before.
    static let delayMilliseconds = 150
    /// The reading that is waiting or under way.
    @ObservationIgnored public private(set) var reading: Task<Void, Never>?
    /// The present ink. A new point is no change for the screens around the canvas, since the canvas draws it itself.
    @ObservationIgnored private var liveEditor = DrawingEditor()

    /// Counts the changes of the ink, so that an answer to older ink is dropped.
    @ObservationIgnored private var revision = 0
    @ObservationIgnored private let reader: any CharacterReading
    @ObservationIgnored private let clock: Clock
    @ObservationIgnored private let isLive: Bool
    @ObservationIgnored private let lineReader: LineReader?

    /// `isLive`: whether the ink is read after each stroke, or only by `readNow`. `readsLines`: whether the canvas is
    /// wide, and words and lines are read.
    public init(reader: any CharacterReading, clock: Clock, isLive: Bool = true, readsLines: Bool = false) {
        self.reader = reader
        lineReader = readsLines ? LineReader(reader: reader) : nil
        self.clock = clock
        self.isLive = isLive
    }

    /// The stroke under the pen, nil while the pen is up.
    public var current: Stroke? { liveEditor.current }

    /// The present drawing; nil if the canvas has no size.
    public var drawing: Drawing? { try? liveEditor.drawing(width: canvas.width, height: canvas.height, pen: pen) }

    /// Width of the pen, as a fraction of the canvas' longer side.
    public var pen: Double {
        lineReader == nil ? Drawing.pen : 0.035 * canvas.height / max(canvas.width, canvas.height, 1)
    }

    /// Set the size of the canvas. Strokes are scaled with its height, so that they survive when a phone is turned.
    public func resize(width: Double, height: Double) {
        guard width > 0, height > 0, width != canvas.width || height != canvas.height else { return }
        if canvas.height > 0, canvas.height != height, !liveEditor.isEmpty {
            liveEditor.scale(by: height / canvas.height)
            editor = liveEditor
        }
        canvas = (width, height)
    }

    /// Continue a drawing of an earlier launch.
    public func restore(_ drawing: Drawing) {
        liveEditor = DrawingEditor(strokes: drawing.strokes)
        canvas = (drawing.width, drawing.height)
        inkChanged()
    }

    public func begin(_ point: InkPoint) {
        liveEditor.begin(point)
        // If there are too many points already, the ink stays as it is and is read again.
        guard liveEditor.isDrawing else { return inkChanged() }
        reading?.cancel()
        revision += 1
        verdict = nil
        editor = liveEditor
    }

    public func extend(_ points: [InkPoint]) {
        for point in points { liveEditor.extend(point) }
    }

    public func end() { if liveEditor.end() { inkChanged() } }

    public func cancel() {
        liveEditor.cancel()
        inkChanged()
    }

    public func undo() { if liveEditor.undo() { inkChanged() } }
    public func redo() { if liveEditor.redo() { inkChanged() } }
    public func clear() { if liveEditor.clear() { inkChanged() } }

    /// Start a new character: there is nothing to undo.
    public func reset() {
        liveEditor.reset()
        inkChanged()
    }

    /// Read the ink now. The verdict is nil if the ink changed meanwhile, or could not be read (see `failure`).
    public func readNow() async -> Verdict? {
        reading?.cancel()
        if liveEditor.end() { editor = liveEditor }
        guard !liveEditor.isEmpty else { return .nothing }
        revision += 1
        let answer = await read()
        if isLive { verdict = answer }
        return answer
    }

    private func inkChanged() {
        reading?.cancel()
        revision += 1
        editor = liveEditor
        verdict = liveEditor.isEmpty ? .nothing : nil
        failure = nil
        if liveEditor.isEmpty {
            lines = []
        } else if isLive {
            reading = Task { [weak self, revision] in await self?.readLater(revision) }
        }
        changed()
    }

    private func readLater(_ drawingRevision: Int) async {
        do { try await clock.sleep(Self.delayMilliseconds) } catch { return }
        if drawingRevision == revision { verdict = await read() ?? verdict }
        changed()
    }

    private func read() async -> Verdict? {
        let drawingRevision = revision
        do {
            let drawing = try liveEditor.drawing(width: canvas.width, height: canvas.height, pen: pen)
            let lines = try await lineReader?.read(drawing, script: script) ?? []
            let verdict = try await lineReader == nil ? reader.verdict(on: drawing, script: script) : Verdict(lines)
            guard drawingRevision == revision else { return nil }
            failure = nil
            self.lines = lines
            return verdict
        } catch {
            if drawingRevision == revision { failure = "\(error)" }
            return nil
        }
    }
}

extension Verdict {
    /// Lines as one answer, with the confidence of the least certain character.
    fileprivate init(_ lines: [LineText]) {
        let minConfidence = lines.flatMap(\.characters).map(\.confidence).min()
        let text = lines.map(\.text).joined(separator: "\n")
        self = minConfidence.map { .read([Answer(label: text, probability: $0)]) } ?? .nothing
    }
}
