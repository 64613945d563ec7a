#if canImport(SwiftUI) && canImport(UIKit)
import KanaInk
import KanaReading
import SwiftUI
import UIKit

/// The ink of one canvas, for SwiftUI to watch. What it does is `LiveReader`'s; VoiceOver is told here.
@MainActor
final class InkModel: ObservableObject {
    let reader: LiveReader
    /// What drew the last stroke.
    var device = Sample.Device.unknown
    /// Called with each new verdict on ink.
    var read: (Verdict) -> Void = { _ in }
    private var told: Verdict?

    init(reader: LiveReader) {
        self.reader = reader
        reader.changed = { [weak self] in self?.changed() }
    }

    var verdict: Verdict? { reader.verdict }
    var isEmpty: Bool { reader.editor.isEmpty }
    /// The label that the model answered, "" where it gave none.
    var answer: String { verdict?.candidates.first?.label ?? "" }

    /// What stands above the canvas.
    var status: Wording {
        if let failure = reader.failure { return .phrase(.trouble, failure) }
        guard let verdict else { return .phrase(.reading, []) }
        return verdict.wording(isEmpty: isEmpty)
    }

    private func changed() {
        objectWillChange.send()
        defer { told = verdict }
        guard let verdict, verdict != told, !isEmpty else { return }
        announce(status.string)
        read(verdict)
    }
}

/// Let VoiceOver say a text; nothing where it is off.
@MainActor func announce(_ text: String) {
    UIAccessibility.post(notification: .announcement, argument: text)
}
#endif
