import KanaApp
import KanaReading
import SwiftUI

/// Draw freely; the answer comes while one draws.
struct DrawScreen: View {
    let app: AppModel
    @Bindable var window: WindowModel
    @State private var popUp = ""
    @State private var showsPopUp = false
    @State private var corrects = false
    @State private var correction = ""

    private var ink: LiveReader { window.ink }

    var body: some View {
        CanvasLayout(isLeftHanded: app.settings.value.isLeftHanded) {
            if let failure = app.failure {
                Text("The model cannot be loaded: \(failure)").foregroundStyle(.red)
            }
            Text(verbatim: status).font(.title2).accessibilityAddTraits(.updatesFrequently)
            if !window.text.isEmpty { TextBar(text: window.text) { window.text = String(window.text.dropLast()) } }
        } board: {
            CanvasRow(ink: ink, settings: app.settings.value, status: status)
        } footer: {
            Candidates(answers: ink.verdict?.candidates ?? []) { choose($0) }
            if !ink.editor.isEmpty {
                HStack {
                    if app.settings.value.showsPopUp { Button("What is this?") { tell() } }
                    #if DEBUG
                    if app.settings.value.keepsSamples { Button("Another…") { corrects = true } }
                    #endif
                }
                .buttonStyle(.bordered)
            }
        }
        .onAppear { ink.script = app.settings.value.script }
        .onChange(of: ink.verdict) { if ink.verdict != nil, !ink.editor.isEmpty { announce(status) } }
        .alert("Your character", isPresented: $showsPopUp) {
            Button("OK") {}
        } message: {
            Text(verbatim: popUp)
        }
        .alert("What did you mean?", isPresented: $corrects) {
            TextField("What did you mean?", text: $correction)
            Button("OK") { choose(correction) }.disabled(!app.knows(correction))
            Button("Cancel", role: .cancel) { correction = "" }
        } message: {
            Text("One character that the network knows.")
        }
    }

    /// The text above the canvas.
    private var status: String {
        if let failure = ink.failure { return String(localized: "The model gave no answer: \(failure)") }
        return ink.verdict?.text(isEmpty: ink.editor.isEmpty) ?? String(localized: "Reading…")
    }

    /// Show the answer in a pop-up, as the tutorial does.
    private func tell() {
        Task {
            guard let verdict = await ink.readNow() else { return }
            popUp = verdict.text(isEmpty: ink.editor.isEmpty)
            showsPopUp = true
        }
    }

    /// Take a label that the user chose, and clear the canvas.
    private func choose(_ label: String) {
        #if DEBUG
        if let drawing = ink.drawing {
            app.keep(
                drawing, label: label, answer: ink.verdict?.candidates.first?.label ?? "", device: ink.device)
        }
        correction = ""
        #endif
        window.choose(label)
        announce(label)
    }
}

/// Up to five candidates, each a button with a word for how likely it is.
struct Candidates: View {
    let answers: [Answer]
    let choose: (String) -> Void

    var body: some View {
        ScrollView(.horizontal) {
            HStack(spacing: 8) {
                ForEach(answers) { answer in
                    Button(action: { choose(answer.label) }) {
                        VStack {
                            Text(verbatim: answer.label).font(.title)
                            Text(verbatim: Confidence(answer.probability).text).font(.caption)
                        }
                        .frame(minWidth: 56, minHeight: 56)
                    }
                    .buttonStyle(.bordered)
                    .accessibilityLabel(Text(verbatim: answer.text))
                }
            }
        }
        .accessibilityElement(children: .contain)
        .accessibilityLabel("Candidates")
    }
}
