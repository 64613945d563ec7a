#if canImport(SwiftUI) && canImport(UIKit)
import KanaInk
import KanaReading
import SwiftUI

/// Draw freely; the answer comes while one draws.
struct DrawScreen: View {
    @ObservedObject var app: AppModel
    @StateObject private var ink: InkModel
    @State private var picksOther = false
    @State private var popUp = ""
    @State private var showsPopUp = false
    @State private var kept: String?
    @State private var speaker = Speaker()

    init(app: AppModel) {
        self.app = app
        _ink = StateObject(wrappedValue: InkModel(reader: app.makeReader()))
    }

    var body: some View {
        CanvasLayout(isLeftHanded: app.settings.isLeftHanded) {
            if let trouble = app.trouble { Text(trouble).foregroundColor(.red) }
            Text(ink.status).font(.title2).accessibilityAddTraits(.updatesFrequently)
        } board: {
            CanvasRow(ink: ink, settings: app.settings)
        } rest: {
            Candidates(answers: ink.verdict?.candidates ?? [], choose: choose)
            if !ink.isEmpty {
                HStack {
                    Button(action: { picksOther = true }) { Text(Phrase.another) }
                    if app.settings.showsPopUp { Button(action: tell) { Text(Phrase.tell) } }
                }
                .buttonStyle(.bordered)
            }
            if let kept { Text(Wording.phrase(.kept, kept)).font(.footnote) }
        }
        .onAppear {
            ink.reader.script = app.settings.script
            ink.read = { _ in kept = nil }
        }
        .sheet(isPresented: $picksOther) {
            CharacterPicker(characters: characters) { label in
                picksOther = false
                if let label { choose(label) }
            }
        }
        .alert(Text(Phrase.popUpTitle), isPresented: $showsPopUp) {
            Button(action: { showsPopUp = false }) { Text(Phrase.dismiss) }
        } message: {
            Text(verbatim: popUp)
        }
    }

    private var characters: [String] { app.facts?.characters.filter(app.settings.script.holds) ?? [] }

    /// The answer in a pop-up, as the tutorial tells it.
    private func tell() {
        Task {
            guard let verdict = await ink.reader.readNow() else { return }
            popUp = verdict.wording(isEmpty: ink.isEmpty).string
            showsPopUp = true
        }
    }

    /// The user says what was meant: it is said aloud, and kept if that is wanted.
    private func choose(_ label: String) {
        speaker.say(label)
        guard let drawing = ink.reader.drawing,
            app.keep(drawing, label: label, answer: ink.answer, device: ink.device)
        else { return }
        kept = label
        announce(Phrase.kept.string(label))
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
                            Text(Confidence(answer.probability).phrase).font(.caption)
                        }
                        .frame(minWidth: 56, minHeight: 56)
                    }
                    .buttonStyle(.bordered)
                    .accessibilityLabel(Text(answer.wording))
                }
            }
        }
        .accessibilityElement(children: .contain)
        .accessibilityLabel(Text(Phrase.candidates))
    }
}

/// All characters, to say which one was meant.
struct CharacterPicker: View {
    let characters: [String]
    let done: (String?) -> Void

    var body: some View {
        NavigationView {
            ScrollView(.vertical) {
                LazyVGrid(columns: [GridItem(.adaptive(minimum: 56))]) {
                    ForEach(characters, id: \.self) { character in
                        Button(action: { done(character) }) {
                            Text(verbatim: character).font(.title).frame(minWidth: 48, minHeight: 48)
                        }
                    }
                }
                .padding()
            }
            .navigationTitle(Text(Phrase.meant))
            .toolbar {
                ToolbarItem(placement: .cancellationAction) {
                    Button(action: { done(nil) }) { Text(Phrase.close) }
                }
            }
        }
        .navigationViewStyle(.stack)
    }
}
#endif
