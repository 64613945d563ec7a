// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of AVFoundation, for type-checking on Linux; never shipped.
@_exported import Foundation

open class AVAudioSession: NSObject {
    public struct Category: Sendable { public static let playback = Category() }
    public struct CategoryOptions: OptionSet, Sendable {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let mixWithOthers = CategoryOptions(rawValue: 1)
    }
    public class func sharedInstance() -> AVAudioSession { fatalError("a stub") }
    public func setCategory(_ category: Category, options: CategoryOptions) throws {}
}

public enum AVSpeechBoundary: Int, Sendable { case immediate, word }

open class AVSpeechSynthesisVoice: NSObject {
    public init?(language: String?) { nil }
}

open class AVSpeechUtterance: NSObject {
    public init(string: String) {}
    public var voice: AVSpeechSynthesisVoice? {
        get { nil }
        set {}
    }
}

open class AVSpeechSynthesizer: NSObject {
    public func speak(_ utterance: AVSpeechUtterance) {}
    @discardableResult public func stopSpeaking(at boundary: AVSpeechBoundary) -> Bool { false }
}
