#if canImport(SwiftUI) && canImport(UIKit)
import Foundation
import KanaCoreML
import KanaReading
import SwiftUI

/// What the user chooses, and what the app says of itself.
struct SettingsScreen: View {
    @ObservedObject var app: AppModel

    var body: some View {
        Form {
            Section {
                Picker(selection: $app.settings.script, label: Text(Phrase.characters)) {
                    ForEach(Script.allCases, id: \.self) { Text($0.phrase) }
                }
                Picker(selection: $app.settings.mode, label: Text(Phrase.practiceBy)) {
                    ForEach(PracticeMode.allCases, id: \.self) { Text($0.phrase) }
                }
                Toggle(isOn: $app.settings.showsGrid) { Text(Phrase.showGrid) }
                Toggle(isOn: $app.settings.showsPopUp) { Text(Phrase.showPopUp) }
                Toggle(isOn: $app.settings.isLeftHanded) { Text(Phrase.leftHanded) }
            }
            Section {
                Toggle(isOn: $app.settings.keepsSamples) { Text(Phrase.keepSamples) }
                Text(Phrase.keepSamplesWhy).font(.footnote)
                Text(Phrase.privacy).font(.footnote)
            }
            Section {
                if let trouble = app.trouble { Text(trouble) }
                if let facts = app.facts { Text(Wording.phrase(.modelReads, "\(facts.characters.count)")) }
                if let table = app.table {
                    Text(Wording.phrase(.strokesFrom, table.attribution)).font(.footnote)
                    NavigationLink(destination: DeviceCheckScreen(app: app, table: table)) { Text(Phrase.deviceCheck) }
                }
            }
        }
    }
}

/// `DeviceCheck` with each choice of compute units.
private struct DeviceCheckScreen: View {
    let app: AppModel
    let table: PracticeTable
    @State private var rows: [DeviceCheck.Row] = []
    @State private var runs = false

    var body: some View {
        List {
            Text(Phrase.deviceCheckWhy)
            Button(action: start) { Text(Phrase.run) }.disabled(runs)
            if runs { ProgressView() }
            ForEach(rows) { Text($0.wording) }
        }
        .navigationTitle(Text(Phrase.deviceCheck))
    }

    private func start() {
        var readers: [(name: String, reader: any CharacterReading)] = [
            ("CPU", KanaModel(url: app.modelURL, units: .cpuOnly)),
            ("CPU + GPU", KanaModel(url: app.modelURL, units: .cpuAndGPU)),
            ("CPU + GPU + Neural Engine", KanaModel(url: app.modelURL, units: .all)),
        ]
        if #available(iOS 16, *) {
            readers.append(("CPU + Neural Engine", KanaModel(url: app.modelURL, units: .cpuAndNeuralEngine)))
        }
        runs = true
        Task { [readers] in
            rows = await DeviceCheck.run(
                readers, kana: table.kana, milliseconds: { ProcessInfo.processInfo.systemUptime * 1000 })
            runs = false
        }
    }
}
#endif
