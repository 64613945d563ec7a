import Foundation
import KanaInk
import KanaReading
import Observation

/// What all windows share, and the one owner of what the user made. All of it stays on the device.
@MainActor @Observable
public final class AppModel {
    public let settings: Kept<AppSettings>
    public let deck: Kept<Deck>
    public let table: PracticeTable
    public let reader: any CharacterReading
    public let troubles: Troubles
    public let store: SampleStore
    /// What the model says of itself, nil until it is loaded.
    public private(set) var facts: ModelFacts?
    /// Why there is no model, in words for a developer; nil where there is one.
    public private(set) var failure: String?
    public private(set) var samples: [Sample] = []
    let drafts: Kept<Drafts>
    let clock: Clock
    @ObservationIgnored private let version: String
    @ObservationIgnored private var opened = 0

    /// `folder`: where the app keeps what is the user's. `version`: of the app, as it stands in the samples.
    public init(
        folder: URL, reader: any CharacterReading, table: PracticeTable, version: String = "", clock: Clock = .system
    ) {
        let troubles = Troubles()
        self.troubles = troubles
        self.reader = reader
        self.table = table
        self.version = version
        self.clock = clock
        settings = Kept(AppSettings(), in: folder.appendingPathComponent("settings.json"), troubles: troubles)
        deck = Kept(Deck(), in: folder.appendingPathComponent("deck.json"), troubles: troubles)
        drafts = Kept(Drafts(), in: folder.appendingPathComponent("drafts.json"), troubles: troubles)
        store = SampleStore(file: folder.appendingPathComponent("kana-samples.jsonl"))
        attempt { _ in }
    }

    /// A window was opened: it goes on where the first, second … one was left.
    public func open() -> WindowModel {
        if drafts.value.windows.count <= opened { drafts.value.windows.append(Draft()) }
        opened += 1
        return WindowModel(app: self, place: opened - 1)
    }

    /// Load the model, off the main actor.
    public func load() async {
        do {
            facts = try await reader.facts()
            failure = nil
        } catch { failure = "\(error)" }
    }

    /// Keep a correction, if that is wanted.
    public func keep(_ drawing: Drawing, label: String, answer: String, device: Sample.Device) {
        guard settings.value.keepsSamples else { return }
        let sample = Sample(
            drawing: drawing, label: label, answer: answer, date: Date(), device: device, app: "Kana \(version)")
        attempt { try $0.keep(sample) }
    }

    public func delete(_ ids: Set<String>) { attempt { try $0.delete(ids) } }
    public func deleteAll() { attempt { try $0.deleteAll() } }

    private func attempt(_ change: (SampleStore) throws -> Void) {
        do {
            try change(store)
            let (samples, others) = try store.read()
            self.samples = samples
            if others > 0 { troubles.tell(.lines(others)) }
        } catch {
            troubles.tell(.notSaved(file: store.file.lastPathComponent, why: error.localizedDescription))
        }
    }
}

/// The time, as it is or as a test wants it.
public struct Clock: Sendable {
    /// Milliseconds that only go forward.
    let now: @MainActor @Sendable () -> Int
    /// As `Deck.day` counts.
    let today: @MainActor @Sendable () -> Int
    /// Waits so many milliseconds; throws if cancelled.
    let sleep: @Sendable (Int) async throws -> Void

    public static let system = Clock(
        now: { Int(ProcessInfo.processInfo.systemUptime * 1000) }, today: { Deck.day(of: Date(), in: .current) },
        sleep: { try await Task.sleep(for: .milliseconds($0)) })
}
