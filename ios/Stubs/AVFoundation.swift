// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of AVFoundation, for type-checking on Linux; never shipped.
@_exported import Foundation

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
