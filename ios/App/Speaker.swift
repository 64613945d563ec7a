import AVFoundation

/// Says kana in the device's own Japanese voice, offline.
@MainActor
final class Speaker {
    private let synthesizer = AVSpeechSynthesizer()

    func say(_ text: String) {
        // The clue is not for decoration: it is heard with the silent switch on, and the user's music goes on.
        try? AVAudioSession.sharedInstance().setCategory(.playback, options: .mixWithOthers)
        let utterance = AVSpeechUtterance(string: text)
        utterance.voice = AVSpeechSynthesisVoice(language: "ja-JP")
        synthesizer.stopSpeaking(at: .immediate)
        synthesizer.speak(utterance)
    }
}
