import KanaApp
import KanaInk
import KanaReading
import SwiftUI

/// Practice: a character is asked, written, and read by the network.
struct PracticeScreen: View {
    let app: AppModel
    let lesson: Lesson
    @State private var speaker = Speaker()

    private var session: PracticeSession { lesson.session }

    var body: some View {
        Group {
            if let task = session.task { taskPage(task) } else { donePage }
        }
        // Far from "Check": the second tap of a double tap there cannot hit it.
        .toolbar {
            ToolbarItem(placement: .primaryAction) {
                if session.task?.isFinished == true {
                    Button("Next") { lesson.next() }
                } else {
                    Button("Skip") { lesson.skip() }.disabled(session.task == nil)
                }
            }
            ToolbarItem(placement: .cancellationAction) {
                NavigationLink("Progress") { ProgressScreen(app: app) }
            }
        }
        .onAppear { lesson.refresh() }
        .onChange(of: app.settings.value) { lesson.refresh() }
        .onChange(of: session.task?.outcome) { if let result = session.task?.result { announce(result) } }
        .onChange(of: session.task?.character) { if let task = session.task { announce(task.prompt) } }
    }

    private func taskPage(_ task: PracticeTask) -> some View {
        CanvasLayout(isLeftHanded: app.settings.value.isLeftHanded) {
            HStack {
                Text(verbatim: task.prompt).font(.title2)
                Button(action: { speaker.say(task.spoken) }) { Label("Listen", systemImage: "speaker.wave.2") }
            }
            if let clue = task.clue(isKnown: app.deck.value.isKnown) { Text(verbatim: clue).font(.title3) }
        } board: {
            CanvasRow(ink: lesson.ink, settings: app.settings.value, aid: aid(task))
        } footer: {
            if let failure = lesson.ink.failure { Text("The model gave no answer: \(failure)") }
            if let result = task.result { Text(verbatim: result).font(.title3) }
            ForEach(session.advice.map(\.text), id: \.self) { Text(verbatim: $0).font(.footnote) }
            if task.isFinished { comparison(task) }
            if !task.isFinished {
                HStack(spacing: 32) {
                    Button("I do not know") { lesson.give() }.buttonStyle(.bordered)
                    Button("Check") { Task { await lesson.check() } }.buttonStyle(.borderedProminent)
                }
            }
            dueText
        }
    }

    /// What was written last, and the strokes as they are usually written.
    private func comparison(_ task: PracticeTask) -> some View {
        HStack(spacing: 24) {
            if let drawing = session.attemptedDrawing {
                VStack {
                    StrokesView(drawing)
                    Text("Yours").font(.caption)
                }
            }
            VStack {
                StrokeOrderView(strokes: task.kana.strokes)
                Text("Stroke order").font(.caption)
            }
        }
        .accessibilityHidden(true)
    }

    private var donePage: some View {
        VStack(spacing: 12) {
            Text("Nothing is due today.")
            Button("Practise anyway") { lesson.next(anyway: true) }
            dueText
        }
        .padding()
    }

    private var dueText: some View { Text("Due today: \(lesson.dueCount.formatted())").font(.footnote) }

    /// What is under the ink: nothing in practice by sound, until the task is finished.
    private func aid(_ task: PracticeTask) -> Aid {
        if task.isFinished { return .trace(task.kana.strokes) }
        switch task.mode {
        case .sound, .blank: return .none
        case .outline: return .outline(task.kana.strokes)
        case .trace: return .trace(task.kana.strokes)
        }
    }
}

/// How well each character is known.
struct ProgressScreen: View {
    let app: AppModel

    private var characters: [String] { app.table.characters(of: app.settings.value.practised) }

    var body: some View {
        let knownCount = characters.filter { app.deck.value.isKnown($0) }.count
        ScrollView {
            Text("Known: \(knownCount.formatted()) of \(characters.count.formatted())").font(.title3)
            LazyVGrid(columns: [GridItem(.adaptive(minimum: 56))]) {
                ForEach(characters, id: \.self) { character in
                    let box = app.deck.value.cards[character]?.box ?? 0
                    VStack {
                        Text(verbatim: character).font(.title)
                        Text(verbatim: String(repeating: "●", count: box) + String(repeating: "○", count: 5 - box))
                            .font(.caption)
                    }
                    .accessibilityElement(children: .ignore)
                    .accessibilityLabel("\(character): box \(box.formatted()) of 5")
                }
            }
            .padding()
        }
        .navigationTitle("Progress")
    }
}
