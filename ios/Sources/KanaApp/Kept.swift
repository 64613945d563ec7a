import Foundation
import Observation

/// A value that the user made, in a JSON file with the version of its format. One object owns a file, whatever the
/// number of windows. No `UserDefaults`, so that the privacy manifest has no reason to name.
///
/// A file that is damaged or of a newer app is set aside under another name and never overwritten; one that exists and
/// cannot be read is left alone, and nothing is saved over it. Keys that are not known are ignored.
@MainActor @Observable
public final class Kept<Value: Codable & Equatable> {
    public var value: Value { didSet { if value != oldValue { save() } } }
    @ObservationIgnored private let file: URL
    @ObservationIgnored private let troubles: Troubles
    @ObservationIgnored private var mayWrite = true

    /// `value`: what it is where nothing was saved.
    init(_ value: Value, in file: URL, troubles: Troubles) {
        self.value = value
        self.file = file
        self.troubles = troubles
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        do {
            let data = try Data(contentsOf: file)
            if let kept = try? JSONDecoder().decode(Versioned<Value>.self, from: data) {
                self.value = kept.value
            } else {
                troubles.tell(.setAside(file: file.lastPathComponent, name: try setAside()))
            }
        } catch {
            mayWrite = false
            troubles.tell(.unreadable(file: file.lastPathComponent))
        }
    }

    private func setAside() throws -> String {
        let (stem, folder) = (file.deletingPathExtension().lastPathComponent, file.deletingLastPathComponent())
        let taken = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let name = (1...).lazy.map { "\(stem)-damaged-\($0).json" }.first { !taken.contains($0) } ?? stem
        try FileManager.default.moveItem(at: file, to: folder.appendingPathComponent(name))
        return name
    }

    private func save() {
        guard mayWrite else { return }
        do {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            // Whole or not at all: the file is replaced by a rename.
            try JSONEncoder().encode(Versioned(value: value)).write(to: file, options: .atomic)
        } catch {
            troubles.tell(.notSaved(file: file.lastPathComponent, why: error.localizedDescription))
        }
    }
}

/// A value with `format` beside its own keys.
private struct Versioned<Value: Codable>: Codable {
    /// The newest format that is read.
    static var format: Int { 1 }
    let value: Value

    private enum Key: String, CodingKey { case format }

    init(value: Value) { self.value = value }

    init(from decoder: any Decoder) throws {
        let format = try decoder.container(keyedBy: Key.self).decodeIfPresent(Int.self, forKey: .format) ?? 1
        guard format <= Self.format else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "expected format \(Self.format), found \(format)"))
        }
        value = try Value(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        try value.encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(Self.format, forKey: .format)
    }
}

/// What went wrong with what the user made.
public enum Trouble: Equatable, Sendable {
    /// A file was damaged, or of a newer app. It is kept as `name`.
    case setAside(file: String, name: String)
    /// A file is there and cannot be read: nothing is saved over it.
    case unreadable(file: String)
    case notSaved(file: String, why: String)
    /// Lines of the samples that are none; they stay in the file.
    case lines(Int)
}

/// What is to be told, in order.
@MainActor @Observable
public final class Troubles {
    public private(set) var untold: [Trouble] = []

    func tell(_ trouble: Trouble) { if !untold.contains(trouble) { untold.append(trouble) } }
    /// The first was told.
    public func told() { if !untold.isEmpty { untold.removeFirst() } }
}
