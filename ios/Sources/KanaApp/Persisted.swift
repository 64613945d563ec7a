import Foundation
import Observation

/// A value of the user's that is saved at each change, in a JSON file with the version of its format.
///
/// One object owns a file, however many windows there are. `UserDefaults` is not used, so the privacy manifest needs no
/// reason for it. A file that is damaged or of a newer app is renamed, and never overwritten. One that exists but
/// cannot be read stays as it is, and nothing is saved over it. Unknown keys are ignored.
@MainActor @Observable
public final class Persisted<Value: Codable & Equatable> {
    public var value: Value { didSet { if value != oldValue { save() } } }
    @ObservationIgnored private let file: URL
    @ObservationIgnored private let troubles: Troubles
    @ObservationIgnored private var mayWrite = true

    /// `value`: the initial one, if nothing was saved before.
    init(_ value: Value, in file: URL, troubles: Troubles) {
        self.value = value
        self.file = file
        self.troubles = troubles
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        do {
            let data = try Data(contentsOf: file)
            if let contents = try? JSONDecoder().decode(Versioned<Value>.self, from: data) {
                self.value = contents.value
            } else {
                troubles.report(.setAside(file: file.lastPathComponent, name: try setAside()))
            }
        } catch {
            mayWrite = false
            troubles.report(.unreadable(file: file.lastPathComponent))
        }
    }

    private func setAside() throws -> String {
        let (stem, folder) = (file.deletingPathExtension().lastPathComponent, file.deletingLastPathComponent())
        let takenNames = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let name = (1...).lazy.map { "\(stem)-damaged-\($0).json" }.first { !takenNames.contains($0) } ?? stem
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
            troubles.report(.notSaved(file: file.lastPathComponent, why: error.localizedDescription))
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

/// A problem with the user's data.
public enum Trouble: Equatable, Sendable {
    /// A file was damaged, or of a newer app. It was renamed to `name`.
    case setAside(file: String, name: String)
    /// A file is there and cannot be read: nothing is saved over it.
    case unreadable(file: String)
    case notSaved(file: String, why: String)
    /// So many lines of the samples' file are no samples. They stay in the file.
    case lines(Int)
}

/// The problems of which the user has not been told yet, oldest first.
@MainActor @Observable
public final class Troubles {
    public private(set) var pending: [Trouble] = []

    func report(_ trouble: Trouble) { if !pending.contains(trouble) { pending.append(trouble) } }
    /// The user has been told of the first one.
    public func dismissFirst() { if !pending.isEmpty { pending.removeFirst() } }
}
