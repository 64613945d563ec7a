#if DEBUG
import KanaApp
import KanaCoreML
import KanaInk
import KanaReading
import SwiftUI

// What developers need and users don't: corrections as samples to train on, and every kana on each choice of compute
// units. In a release build none of it is there; its texts are English alone.

/// The corrections that were kept: look, delete, share. They leave the device by the share sheet alone.
struct SamplesScreen: View {
    let app: AppModel

    var body: some View {
        List {
            ForEach(app.samples) { sample in
                HStack {
                    StrokesView(sample.drawing)
                    Text(verbatim: "\(sample.label), read as \(sample.answer)")
                    Spacer()
                    Text(verbatim: sample.date?.formatted(date: .abbreviated, time: .shortened) ?? sample.time)
                }
                .accessibilityElement(children: .combine)
            }
            .onDelete { offsets in app.delete(Set(offsets.map { app.samples[$0].id })) }
            if !app.samples.isEmpty {
                ShareLink(item: app.store.file)
                Button(role: .destructive, action: { app.deleteAll() }) { Text(verbatim: "Delete all") }
            }
        }
    }
}

struct DeveloperSection: View {
    let app: AppModel
    @State private var rows: [DeviceCheck.Row] = []
    @State private var runs = false

    var body: some View {
        @Bindable var settings = app.settings
        Section {
            Toggle(isOn: $settings.value.keepsSamples) { Text(verbatim: "Keep corrections") }
            Text(verbatim: app.failure ?? "\(app.facts?.characters.count ?? 0) characters")
            Button(action: start) { Text(verbatim: "Check this device") }.disabled(runs)
            ForEach(rows) { Text(verbatim: $0.text).font(.footnote) }
        }
    }

    private func start() {
        let readers: [(name: String, reader: any CharacterReading)] = [
            ("CPU", KanaModel(url: KanaApplication.model, units: .cpuOnly)),
            ("CPU + GPU", KanaModel(url: KanaApplication.model, units: .cpuAndGPU)),
            ("CPU + Neural Engine", KanaModel(url: KanaApplication.model, units: .cpuAndNeuralEngine)),
            ("all", KanaModel(url: KanaApplication.model, units: .all)),
        ]
        runs = true
        Task {
            rows = await DeviceCheck.run(
                readers, kana: app.table.kana, milliseconds: { ProcessInfo.processInfo.systemUptime * 1000 })
            runs = false
        }
    }
}
#endif
