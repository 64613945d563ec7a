import KanaApp
import KanaLines
import SwiftUI

/// Words and lines: one keeps writing, the text grows; each character can be tapped for what else it may be.
struct WordsScreen: View {
    let app: AppModel
    @Bindable var window: WindowModel

    private var writing: Writing { window.writing }

    var body: some View {
        VStack(spacing: 12) {
            ScrollView {
                VStack(spacing: 12) {
                    if let failure = app.failure {
                        Text("The model cannot be loaded: \(failure)").foregroundStyle(.red)
                    }
                    if !(window.text + writing.text).isEmpty {
                        TextBar(text: window.text + writing.text, delete: writing.ink.editor.isEmpty ? delete : nil)
                    }
                    if let status { Text(verbatim: status).font(.title3) }
                    LazyVGrid(columns: [GridItem(.adaptive(minimum: 56))]) {
                        ForEach(writing.characters) { character in
                            Menu {
                                ForEach(character.alternatives) { answer in
                                    Button(action: { writing.choose(answer.label, for: character) }) {
                                        Text(verbatim: answer.text)
                                    }
                                }
                            } label: {
                                Text(verbatim: writing.label(of: character)).font(.title)
                                    .foregroundStyle(writing.isSure(character) ? Color.primary : Color.red)
                            }
                            .accessibilityLabel("\(writing.label(of: character)): choose another")
                        }
                    }
                }
            }
            .defaultScrollAnchor(.bottom)
            CanvasRow(ink: writing.ink, settings: app.settings.value, heights: writing.width)
            Button("Go on with an empty canvas") { Task { await window.takeWriting() } }
                .buttonStyle(.bordered)
                .disabled(writing.characters.isEmpty)
        }
        .padding()
        .onAppear { writing.ink.script = app.settings.value.script }
        .onChange(of: writing.text) { announce(writing.text) }
    }

    /// What is told beside the text; nil where the text says all.
    private var status: String? {
        if let failure = writing.ink.failure { return String(localized: "The model gave no answer: \(failure)") }
        if writing.ink.editor.isEmpty { return String(localized: "Write words or a line.") }
        return writing.ink.verdict == nil && writing.characters.isEmpty ? String(localized: "Reading…") : nil
    }

    private func delete() { window.text = String(window.text.dropLast()) }
}

/// What was recognized so far: to hear, to copy, and where `delete` is given to take back.
struct TextBar: View {
    let text: String
    var delete: (@MainActor () -> Void)?
    @State private var speaker = Speaker()

    var body: some View {
        HStack(spacing: 16) {
            Text(verbatim: text).font(.title).textSelection(.enabled)
            Spacer()
            Button(action: { speaker.say(text) }) { Image(systemName: "speaker.wave.2") }
                .accessibilityLabel("Listen")
            Button(action: { UIPasteboard.general.string = text }) { Image(systemName: "doc.on.doc") }
                .accessibilityLabel("Copy")
            if let delete {
                Button(action: delete) { Image(systemName: "delete.left") }
                    .accessibilityLabel("Delete the last character")
            }
        }
    }
}
