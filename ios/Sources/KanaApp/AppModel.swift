import Foundation
import KanaInk
import KanaReading
import Observation

/// What all windows share. It owns the user's data, which stays on the device.
@MainActor @Observable
public final class AppModel {
    public let settings: Persisted<AppSettings>
    public let deck: Persisted<Deck>
    public let table: PracticeTable
    public let reader: any CharacterReading
    public let troubles: Troubles
    public let store: SampleStore
    /// The labels and threshold of the model; nil until it is loaded.
    public private(set) var facts: ModelFacts?
    /// Why there is no model, in words for a developer; nil where there is one.
    public private(set) var failure: String?
    public private(set) var samples: [Sample] = []
    let drafts: Persisted<Drafts>
    let clock: Clock
    @ObservationIgnored private let version: String
    @ObservationIgnored private var openedCount = 0

    /// `folder`: for the user's data. `version`: of the app, which samples record.
    public init(
        folder: URL, reader: any CharacterReading, table: PracticeTable, version: String = "", clock: Clock = .system
    ) {
        let troubles = Troubles()
        self.troubles = troubles
        self.reader = reader
        self.table = table
        self.version = version
        self.clock = clock
        settings = Persisted(AppSettings(), in: folder.appendingPathComponent("settings.json"), troubles: troubles)
        deck = Persisted(Deck(), in: folder.appendingPathComponent("deck.json"), troubles: troubles)
        drafts = Persisted(Drafts(), in: folder.appendingPathComponent("drafts.json"), troubles: troubles)
        store = SampleStore(file: folder.appendingPathComponent("kana-samples.jsonl"))
        changeSamples { _ in }
    }

    /// The model of a new window, which continues where the window opened at this position was left.
    public func open() -> WindowModel {
        if drafts.value.windows.count <= openedCount { drafts.value.windows.append(Draft()) }
        openedCount += 1
        return WindowModel(app: self, index: openedCount - 1)
    }

    /// Load the model, off the main actor.
    public func load() async {
        do {
            facts = try await reader.facts()
            failure = nil
        } catch { failure = "\(error)" }
    }

    /// Whether the model knows a character; no text of several is one.
    public func knows(_ character: String) -> Bool { facts?.characters.contains(character) ?? false }

    /// Keep a correction as a sample, if the settings say so.
    public func keep(_ drawing: Drawing, label: String, answer: String, device: Sample.Device) {
        guard settings.value.keepsSamples else { return }
        let sample = Sample(
            drawing: drawing, label: label, answer: answer, date: Date(), device: device, app: "Kana \(version)")
        changeSamples { try $0.keep(sample) }
    }

    public func delete(_ ids: Set<String>) { changeSamples { try $0.delete(ids) } }
    public func deleteAll() { changeSamples { try $0.deleteAll() } }

    private func changeSamples(_ change: (SampleStore) throws -> Void) {
        do {
            try change(store)
            let (samples, count) = try store.read()
            self.samples = samples
            if count > 0 { troubles.report(.lines(count)) }
        } catch {
            troubles.report(.notSaved(file: store.file.lastPathComponent, why: error.localizedDescription))
        }
    }
}

/// The source of times, which tests replace.
public struct Clock: Sendable {
    /// Milliseconds that only go forward.
    let now: @MainActor @Sendable () -> Int
    /// Today, as `Deck.day` counts days.
    let today: @MainActor @Sendable () -> Int
    /// Waits so many milliseconds; throws if cancelled.
    let sleep: @Sendable (Int) async throws -> Void

    public static let system = Clock(
        now: { Int(ProcessInfo.processInfo.systemUptime * 1000) }, today: { Deck.day(of: Date(), in: .current) },
        sleep: { try await Task.sleep(for: .milliseconds($0)) })
}
