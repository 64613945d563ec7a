import Foundation
import KanaInk
import KanaReading
import Testing

@testable import KanaApp

private func sample(_ id: String, _ label: String = "ぬ") throws -> Sample {
    let drawing = try Drawing(width: 300, height: 300, strokes: [Stroke([InkPoint(x: 10, y: 20, time: 5)])])
    return Sample(
        id: id, drawing: drawing, label: label, answer: "め", date: Date(timeIntervalSince1970: 0), device: .touch,
        app: "Kana 1.0")
}

func temporary(_ name: String) -> URL {
    FileManager.default.temporaryDirectory.appendingPathComponent("kana-\(UUID().uuidString)/\(name)")
}

@Suite struct SampleTests {
    @Test func aLineIsWhatPythonReads() throws {
        let line = String(decoding: try SampleStore.line(sample("A-1")), as: UTF8.self)
        #expect(
            line
                == #"{"answer":"め","app":"Kana 1.0","device":"touch","format":1,"height":300,"id":"A-1","label":"ぬ","pen":0.05,"strokes":[{"time":[5],"x":[10],"y":[20]}],"time":"1970-01-01T00:00:00Z","width":300}"#
        )
    }

    @Test func keptDeletedAndGone() throws {
        let store = SampleStore(file: temporary("samples.jsonl"))
        #expect(try store.read().samples.isEmpty)
        for id in ["a", "b", "c"] { try store.keep(sample(id)) }
        #expect(try store.read().samples.map(\.id) == ["a", "b", "c"])
        #expect(try store.read().samples[0] == sample("a"))
        try store.delete(["b"])
        #expect(try store.read().samples.map(\.id) == ["a", "c"] && store.read().others == 0)
        let lines = try String(contentsOf: store.file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3 && lines[1] == #"{"format":1,"id":"b","removed":true}"#)
        try store.deleteAll()
        #expect(!FileManager.default.fileExists(atPath: store.file.path))
        try store.deleteAll()
    }

    @Test func aLineOfAnotherVersionStaysInTheFile() throws {
        let store = SampleStore(file: temporary("samples.jsonl"))
        try store.keep(sample("a"))
        let other = #"{"format":2,"id":"x"}"#
        try Data(String(contentsOf: store.file, encoding: .utf8).appending(other + "\n").utf8).write(to: store.file)
        try store.keep(sample("b"))
        try store.delete(["a"])
        #expect(try store.read().samples.map(\.id) == ["b"] && store.read().others == 1)
        #expect(try String(contentsOf: store.file, encoding: .utf8).contains(other))
    }

    @Test func aRunningNumberIsAValidName() throws {
        let id = try Sample(drawing: Drawing(width: 1, height: 1, strokes: []), label: "", answer: "", date: Date()).id
        #expect(id.count == 36 && id.allSatisfy { $0 == "-" || $0.isHexDigit })
    }
}

@Suite struct SettingsTests {
    @Test func nothingIsKeptUntilAsked() { #expect(!AppSettings().keepsSamples) }

    @Test func keysOfAnotherVersionAreIgnored() throws {
        let text = #"{"isLeftHanded":true,"script":"cuneiform","colour":"red"}"#
        var expected = AppSettings()
        expected.isLeftHanded = true
        #expect(try JSONDecoder().decode(AppSettings.self, from: Data(text.utf8)) == expected)
    }
}
