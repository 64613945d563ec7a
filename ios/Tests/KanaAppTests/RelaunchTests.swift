import Foundation
import KanaInk
import KanaReading
import Testing

@testable import KanaApp

/// What the user made, over launches, windows and damages.
@Suite @MainActor struct RelaunchTests {
    private let folder = temporary("kept")
    private let hands = Hands()

    private func launch() -> AppModel {
        AppModel(folder: folder, reader: Model(), table: table(), clock: hands.clock)
    }

    private func file(_ name: String) -> URL { folder.appendingPathComponent(name) }
    private func write(_ text: String, _ name: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file(name))
    }

    @Test func drawingTabTextAndLessonSurvive() async {
        let first = launch().open()
        first.tab = .practice
        first.choose("ぬ")
        first.ink.resize(width: 300, height: 300)
        draw(first.ink)
        first.lesson.next()
        first.lesson.ink.resize(width: 300, height: 300)
        draw(first.lesson.ink)
        let again = launch().open()
        #expect(again.tab == .practice && again.text == "ぬ" && again.ink.drawing == first.ink.drawing)
        #expect(again.lesson.session.task?.character == "あ" && again.lesson.ink.drawing == first.lesson.ink.drawing)
        #expect(again.lesson.ink.script == first.lesson.ink.script && again.lesson.ink.script == .hiragana)
        await again.ink.reading?.value
        #expect(again.ink.verdict?.character == "あ")
    }

    @Test func aCorrectionIsOneCharacterThatTheNetworkKnows() async {
        let app = launch()
        #expect(!app.knows("あ"))
        await app.load()
        #expect(app.knows("あ") && !app.knows("ああ") && !app.knows("") && !app.knows("no character"))
    }

    @Test func twoWindowsKeepOneDeckAndTheirOwnDrawings() async {
        let app = launch()
        let (one, two) = (app.open(), app.open())
        for window in [one, two] {
            window.lesson.next()
            window.lesson.ink.resize(width: 300, height: 300)
        }
        draw(one.ink)
        hands.now = 1_000
        draw(two.lesson.ink)
        await two.lesson.check()
        one.lesson.give()
        #expect(app.deck.value.cards["あ"] == Card(box: 1, due: 1, right: 1, missed: 1, first: 1))
        let again = launch()
        #expect(again.deck.value == app.deck.value)
        _ = again.open()
        #expect(again.open().ink.editor.isEmpty)
    }

    @Test(arguments: ["{", "", #"{"format":2,"cards":{}}"#, #"{"cards":{"あ":{"box":"one"}}}"#])
    func aDamagedDeckIsSetAsideAndTold(text: String) throws {
        try write(text, "deck.json")
        try write("older", "deck-damaged-1.json")
        let app = launch()
        #expect(app.troubles.pending == [.setAside(file: "deck.json", name: "deck-damaged-2.json")])
        app.deck.value.record("あ", misses: 0, today: 1)
        #expect(try String(contentsOf: file("deck-damaged-2.json"), encoding: .utf8) == text)
        #expect(try String(contentsOf: file("deck-damaged-1.json"), encoding: .utf8) == "older")
        #expect(launch().deck.value == app.deck.value)
    }

    @Test func aDeckOfAnotherVersionIsRead() throws {
        try write(#"{"cards":{"あ":{"box":3,"due":9,"right":2,"missed":0,"colour":1}},"new":[]}"#, "deck.json")
        let app = launch()
        #expect(app.deck.value.cards["あ"]?.box == 3 && app.troubles.pending.isEmpty)
        app.deck.value.record("あ", misses: 0, today: 1)
        #expect(try String(contentsOf: file("deck.json"), encoding: .utf8).contains(#""format":1"#))
    }

    @Test(arguments: [-7, 0, 9]) func aBoxThatThereIsNotIsNoCrash(box: Int) throws {
        try write(#"{"cards":{"あ":{"box":\#(box),"due":9,"right":2,"missed":0}}}"#, "deck.json")
        let app = launch()
        #expect(app.troubles.pending.isEmpty && app.deck.value.cards["あ"]?.box == (box == 9 ? 5 : 1))
        app.deck.value.record("あ", misses: 1, today: 1)
    }

    @Test(arguments: [Int.min, 1_000]) func aNumberOfNewCharactersThatThereIsNotIsNoCrash(newPerDay: Int) throws {
        try write(#"{"newPerDay":\#(newPerDay)}"#, "settings.json")
        try write(#"{"cards":{"あ":{"box":1,"due":9,"right":2,"missed":0,"first":1}}}"#, "deck.json")
        let app = launch()
        #expect(app.settings.value.newPerDay == (newPerDay < 0 ? 0 : 100))
        app.open().lesson.next()
    }

    @Test func whatCannotBeReadOrWrittenIsToldAndNotOverwritten() throws {
        try FileManager.default.createDirectory(at: file("deck.json"), withIntermediateDirectories: true)
        let app = launch()
        #expect(app.troubles.pending == [.unreadable(file: "deck.json")])
        app.deck.value.record("あ", misses: 0, today: 1)
        #expect(app.troubles.pending.count == 1)
        app.troubles.dismissFirst()
        try FileManager.default.createDirectory(at: file("settings.json"), withIntermediateDirectories: true)
        app.settings.value.isLeftHanded = true
        guard case .notSaved("settings.json", _) = app.troubles.pending.first else {
            Issue.record("\(app.troubles.pending)")
            return
        }
    }

    @Test func aLineThatIsNoSampleIsTold() throws {
        try write("{\n", "kana-samples.jsonl")
        #expect(launch().troubles.pending == [.lines(1)])
    }

    @Test func aNewDayAndNewSettingsReachTheCard() async {
        let app = launch()
        let lesson = app.open().lesson
        app.settings.value.rows = [0]
        lesson.refresh()
        for _ in 0..<3 { lesson.skip() }
        #expect(lesson.session.task == nil && lesson.dueCount == 0)
        lesson.refresh()
        #expect(lesson.session.task == nil)
        hands.today = 2
        lesson.refresh()
        #expect(lesson.session.task?.character == "あ")
        app.settings.value.rows = [1]
        lesson.refresh()
        #expect(lesson.session.task?.character == "か")
    }

    @Test func samplesAreKeptOnlyWhereThatIsWanted() throws {
        let app = launch()
        let drawing = try Drawing(width: 1, height: 1, strokes: [])
        app.keep(drawing, label: "ぬ", answer: "め", device: .pen)
        #expect(app.samples.isEmpty)
        app.settings.value.keepsSamples = true
        app.keep(drawing, label: "ぬ", answer: "め", device: .pen)
        #expect(app.samples.map(\.label) == ["ぬ"])
        app.deleteAll()
        #expect(launch().samples.isEmpty)
    }
}
