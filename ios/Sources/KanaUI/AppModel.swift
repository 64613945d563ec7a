#if canImport(SwiftUI) && canImport(UIKit)
import Foundation
import KanaCoreML
import KanaInk
import KanaReading
import SwiftUI

/// Milliseconds of a clock that only goes forward.
@MainActor func milliseconds() -> Int { Int(ProcessInfo.processInfo.systemUptime * 1000) }

/// What the whole app shares: the model, the practice's table, settings, samples. All of it stays on the device.
@MainActor
public final class AppModel: ObservableObject {
    @Published var settings: AppSettings { didSet { save() } }
    /// What the model says of itself, nil until it is loaded.
    @Published private(set) var facts: ModelFacts?
    /// Why there is no model, nil where there is one.
    @Published private(set) var trouble: Wording?
    @Published private(set) var samples: [Sample] = []

    let model: KanaModel
    let modelURL: URL?
    let table: PracticeTable?
    let store: SampleStore
    let deck: JSONFile<Deck>
    /// Of the app, as it stands in the samples.
    private let version: String
    private let settingsFile: JSONFile<AppSettings>

    /// The app's model and table lie in `bundle`; what it keeps, in `folder`.
    public init(bundle: Bundle, folder: URL) {
        modelURL = bundle.url(forResource: "Kana", withExtension: "mlmodelc")
        model = KanaModel(url: modelURL)
        table = bundle.url(forResource: "practice", withExtension: "json")
            .flatMap { try? Data(contentsOf: $0) }
            .flatMap { try? PracticeTable(json: $0) }
        version = bundle.object(forInfoDictionaryKey: "CFBundleShortVersionString") as? String ?? "0"
        store = SampleStore(file: folder.appendingPathComponent("kana-samples.jsonl"))
        deck = JSONFile(file: folder.appendingPathComponent("deck.json"))
        settingsFile = JSONFile(file: folder.appendingPathComponent("settings.json"))
        settings = settingsFile.load() ?? AppSettings()
        reload()
    }

    /// Load the model, off the main actor.
    func load() async {
        do {
            facts = try await model.facts()
            trouble = nil
        } catch KanaModelError.missing {
            trouble = .phrase(.modelMissing, [])
        } catch {
            trouble = .phrase(.trouble, "\(error)")
        }
    }

    func makeReader() -> LiveReader {
        LiveReader(
            reader: model, now: milliseconds,
            sleep: { wait in try await Task.sleep(nanoseconds: UInt64(wait) * 1_000_000) })
    }

    /// Keep a correction, if the user wants that.
    func keep(_ drawing: Drawing, label: String, answer: String, device: Sample.Device) -> Bool {
        guard settings.keepsSamples else { return false }
        let sample = Sample(
            drawing: drawing, label: label, answer: answer, date: Date(), device: device,
            app: "Kana \(version)")
        do { try store.keep(sample) } catch { return false }
        reload()
        return true
    }

    func delete(_ ids: Set<String>) {
        try? store.delete(ids)
        reload()
    }

    func deleteAll() {
        try? store.deleteAll()
        reload()
    }

    private func reload() { samples = (try? store.samples()) ?? [] }
    private func save() { try? settingsFile.save(settings) }
}
#endif
