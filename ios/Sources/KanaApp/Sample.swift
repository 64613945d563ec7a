import Foundation
import KanaInk

/// A drawing and what was meant by it: a line of the files that `fastetl samples` reads
/// (`fastetl/building/kept_drawings.py`).
public struct Sample: Equatable, Sendable, Identifiable {
    /// Kind of pointer that drew it.
    public enum Device: String, Codable, Sendable, CaseIterable { case mouse, touch, pen, unknown }

    /// Version of the lines.
    public static let format = 1

    public let id: String
    public let drawing: Drawing
    /// The character that was meant; "" for what is meant to be no character.
    public let label: String
    /// What the model answered; "" if it gave no answer.
    public let answer: String
    /// In UTC: 2026-11-24T20:01:02Z.
    public let time: String
    public let device: Device
    /// What wrote it.
    public let app: String

    public init(
        id: String = UUID().uuidString, drawing: Drawing, label: String, answer: String, date: Date,
        device: Device = .unknown, app: String = ""
    ) {
        self.id = id
        self.drawing = drawing
        self.label = label
        self.answer = answer
        self.device = device
        self.app = app
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime]
        time = formatter.string(from: date)
    }
}

extension Sample {
    /// When it was drawn; nil where `time` is no time.
    public var date: Date? { ISO8601DateFormatter().date(from: time) }
}

extension Sample: Codable {
    private enum Key: String, CodingKey { case format, id, label, answer, time, device, app }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        guard try values.decode(Int.self, forKey: .format) == Self.format else {
            throw DecodingError.dataCorruptedError(
                forKey: .format, in: values, debugDescription: "expected format \(Self.format)")
        }
        id = try values.decode(String.self, forKey: .id)
        drawing = try Drawing(from: decoder)
        label = try values.decode(String.self, forKey: .label)
        answer = try values.decode(String.self, forKey: .answer)
        time = try values.decode(String.self, forKey: .time)
        device = try values.decodeIfPresent(Device.self, forKey: .device) ?? .unknown
        app = try values.decodeIfPresent(String.self, forKey: .app) ?? ""
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(Self.format, forKey: .format)
        try values.encode(id, forKey: .id)
        try drawing.encode(to: encoder)
        try values.encode(label, forKey: .label)
        try values.encode(answer, forKey: .answer)
        try values.encode(time, forKey: .time)
        try values.encode(device, forKey: .device)
        if !app.isEmpty { try values.encode(app, forKey: .app) }
    }
}

/// The samples on the device: one file of JSON lines, which is what the share sheet sends.
public struct SampleStore: Sendable {
    public let file: URL

    public init(file: URL) { self.file = file }

    /// The samples in the order in which they were kept, and how many lines are none, which stay in the file.
    public func read() throws -> (samples: [Sample], others: Int) {
        let lines = try lines().filter { !$0.isEmpty && (try? JSONDecoder().decode(Removed.self, from: $0)) == nil }
        let samples = lines.compactMap { try? JSONDecoder().decode(Sample.self, from: $0) }
        return (samples, lines.count - samples.count)
    }

    /// Add one at the end.
    public func keep(_ sample: Sample) throws {
        try write(try lines() + [try Self.line(sample)])
    }

    /// Remove the samples of these ids.
    public func delete(_ ids: Set<String>) throws {
        try write(
            try lines().map { line in
                guard let sample = try? JSONDecoder().decode(Sample.self, from: line), ids.contains(sample.id) else {
                    return line
                }
                return try Self.line(Removed(format: Sample.format, id: sample.id, removed: true))
            })
    }

    /// Remove the file.
    public func deleteAll() throws {
        if FileManager.default.fileExists(atPath: file.path) { try FileManager.default.removeItem(at: file) }
    }

    /// What a removed sample leaves: `fastetl samples` keeps the samples of 20 lines together, and names them by an id.
    private struct Removed: Codable {
        let format: Int
        let id: String
        let removed: Bool
    }

    static func line(_ content: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(content)
    }

    private func lines() throws -> [Data] {
        guard FileManager.default.fileExists(atPath: file.path) else { return [] }
        let newline = UInt8(ascii: "\n")
        let lines = try Data(contentsOf: file).split(separator: newline, omittingEmptySubsequences: false)
        return (lines.last?.isEmpty == true ? lines.dropLast() : lines[...]).map { Data($0) }
    }

    private func write(_ lines: [Data]) throws {
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        // Whole or not at all: the file is replaced by a rename.
        try Data(lines.flatMap { $0 + [UInt8(ascii: "\n")] }).write(to: file, options: .atomic)
    }
}
