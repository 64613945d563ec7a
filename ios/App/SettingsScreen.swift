import KanaApp
import KanaReading
import SwiftUI

/// The settings, with terms and privacy.
struct SettingsScreen: View {
    let app: AppModel

    var body: some View {
        @Bindable var settings = app.settings
        Form {
            Section("Draw") {
                Picker("Characters", selection: $settings.value.script) {
                    ForEach(Script.allCases, id: \.self) { Text(verbatim: $0.text) }
                }
                Toggle("Answer in a pop-up", isOn: $settings.value.showsPopUp)
            }
            Section("Practice") {
                Picker("Characters", selection: $settings.value.practised) {
                    ForEach([Script.hiragana, .katakana, .kana], id: \.self) { Text(verbatim: $0.text) }
                }
                NavigationLink("Rows") { RowsScreen(app: app) }
                Stepper(
                    "New characters a day: \(settings.value.newPerDay.formatted())", value: $settings.value.newPerDay,
                    in: 0...100, step: 5)
                Picker("Practise by", selection: $settings.value.mode) {
                    ForEach(PracticeMode.allCases, id: \.self) { Text(verbatim: $0.text) }
                }
            }
            Section("Canvas") {
                Toggle("Guide lines", isOn: $settings.value.showsGrid)
                Toggle("Buttons on the left", isOn: $settings.value.isLeftHanded)
            }
            Section {
                NavigationLink("Terms and privacy") { TermsScreen(attribution: app.table.attribution) }
            }
            #if DEBUG
            DeveloperSection(app: app)
            #endif
        }
    }
}

/// The rows of the table that are practised; all where none is chosen.
private struct RowsScreen: View {
    let app: AppModel

    var body: some View {
        List {
            Text("Where none is chosen, all rows are practised.").font(.footnote)
            ForEach(app.table.rows(of: app.settings.value.practised)) { kana in
                Toggle(
                    "\(kana.character) row",
                    isOn: Binding(
                        get: { app.settings.value.rows.contains(kana.row) },
                        set: { isOn in
                            if isOn {
                                app.settings.value.rows.insert(kana.row)
                            } else {
                                app.settings.value.rows.remove(kana.row)
                            }
                        }))
            }
        }
        .navigationTitle("Rows")
    }
}

/// Whose work the app is made from, under which licence, and what it does with the user's data.
struct TermsScreen: View {
    let attribution: String

    var body: some View {
        List {
            Section("Strokes and network") {
                Text(verbatim: attribution)
                Text(
                    "The strokes that practice shows are KanjiVG's, as points. For the network they were changed: bent, joined, moved and drawn with many pens by a program; the network was trained on these pictures. Network and strokes are under the same licence: whoever passes them on names the above and gives them under it."
                )
                if let address = URL(string: "https://creativecommons.org/licenses/by-sa/3.0/") {
                    Link("Creative Commons Attribution-ShareAlike 3.0", destination: address)
                }
                if let address = URL(string: "https://kanjivg.tagaini.net") {
                    Link("KanjiVG", destination: address)
                }
            }
            Section("Words") {
                Text(
                    "Which character follows which is known from a table made of the word frequencies of wordfreq (Robyn Speer, CC BY-SA 4.0) and the connection costs of SudachiDict (Works Applications, Apache 2.0). They were changed: added up by pairs of characters and rounded. The table is under CC BY-SA 4.0."
                )
                if let address = URL(string: "https://creativecommons.org/licenses/by-sa/4.0/") {
                    Link("Creative Commons Attribution-ShareAlike 4.0", destination: address)
                }
                if let address = URL(string: "https://www.apache.org/licenses/LICENSE-2.0") {
                    Link("Apache License 2.0", destination: address)
                }
            }
            Section("Privacy") {
                Text(
                    "This app uses no network and collects nothing. What you draw, your progress and your settings stay on this device and in its backups. Deleting the app deletes them."
                )
            }
        }
        .navigationTitle("Terms and privacy")
    }
}
