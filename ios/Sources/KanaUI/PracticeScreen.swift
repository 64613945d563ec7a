#if canImport(SwiftUI) && canImport(UIKit)
import Foundation
import KanaInk
import KanaReading
import SwiftUI

/// Practice: a character is asked, written, and read by the network.
struct PracticeScreen: View {
    let app: AppModel

    var body: some View {
        if let table = app.table {
            PracticeTaskScreen(app: app, table: table)
        } else {
            Text(Phrase.tableMissing).padding()
        }
    }
}

/// `PracticeSession` for SwiftUI to watch, with its deck on disk.
@MainActor
private final class PracticeModel: ObservableObject {
    @Published private(set) var session: PracticeSession
    let ink: InkModel
    private let file: JSONFile<Deck>

    init(app: AppModel, table: PracticeTable) {
        session = PracticeSession(table: table, deck: app.deck.load() ?? Deck())
        ink = InkModel(reader: app.makeReader())
        file = app.deck
    }

    private var today: Int { Deck.day(of: Date(), in: .current) }

    func due(_ script: Script) -> Int { session.dueCount(script: script, today: today) }

    func next(_ settings: AppSettings, anyway: Bool = false) {
        if session.task != nil, !session.allowsTap(at: milliseconds()) { return }
        session.next(
            script: settings.script, mode: settings.mode, today: today, now: milliseconds(), anyway: anyway)
        ink.reader.reset()
        if let task = session.task {
            ink.reader.script = task.kana.script
            announce(task.prompt.string)
        }
    }

    func check() async {
        guard session.allowsTap(at: milliseconds()), let verdict = await ink.reader.readNow() else { return }
        session.attempt(verdict, drawing: ink.reader.drawing, today: today, now: milliseconds())
        tell()
        switch session.task?.outcome {
        case .wrong, .otherSize, .unreadable: ink.reader.clear()
        case .right, .missed, .given, .nothing, nil: break
        }
    }

    func give() {
        guard session.allowsTap(at: milliseconds()) else { return }
        session.give(today: today, now: milliseconds())
        ink.reader.reset()
        tell()
    }

    private func tell() {
        try? file.save(session.deck)
        if let told = session.task?.told { announce(told.string) }
    }
}

private struct PracticeTaskScreen: View {
    @ObservedObject var app: AppModel
    @StateObject private var model: PracticeModel
    @State private var speaker = Speaker()

    init(app: AppModel, table: PracticeTable) {
        self.app = app
        _model = StateObject(wrappedValue: PracticeModel(app: app, table: table))
    }

    var body: some View {
        Group {
            if let task = model.session.task { asked(task) } else { done }
        }
        // Far from "Check": the second tap of a double tap there cannot hit it.
        .toolbar {
            ToolbarItem(placement: .primaryAction) {
                Button(action: { model.next(app.settings) }) { Text(Phrase.next) }
                    .disabled(!(model.session.task?.isFinished ?? false))
            }
        }
        .onAppear { if model.session.task == nil { model.next(app.settings) } }
    }

    private func asked(_ task: PracticeTask) -> some View {
        CanvasLayout(isLeftHanded: app.settings.isLeftHanded) {
            HStack {
                Text(task.prompt).font(.title2)
                Button(action: { speaker.say(task.spoken) }) { Label(.listen, symbol: "speaker.wave.2") }
            }
        } board: {
            CanvasRow(ink: model.ink, settings: app.settings, aid: aid(task))
        } rest: {
            if let told = task.told { Text(told).font(.title3) }
            ForEach(model.session.advice.map(\.wording.string), id: \.self) { Text(verbatim: $0).font(.footnote) }
            if !task.isFinished {
                HStack(spacing: 32) {
                    Button(action: { model.give() }) { Text(Phrase.unknown) }.buttonStyle(.bordered)
                    Button(action: { Task { await model.check() } }) { Text(Phrase.check) }
                        .buttonStyle(.borderedProminent)
                }
            }
            due
        }
    }

    private var done: some View {
        VStack(spacing: 12) {
            Text(Phrase.allDone)
            Button(action: { model.next(app.settings, anyway: true) }) { Text(Phrase.practiseAnyway) }
            due
        }
        .padding()
    }

    private var due: some View {
        Text(Wording.phrase(.due, "\(model.due(app.settings.script))")).font(.footnote)
    }

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
#endif
