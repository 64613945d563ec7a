#if canImport(SwiftUI) && canImport(UIKit)
import Foundation
import KanaReading
import SwiftUI

extension Phrase {
    /// In the user's language, from the app's string catalogue; places stay as they are.
    var translated: String { NSLocalizedString(rawValue, bundle: .main, comment: "") }

    func string(_ filled: String...) -> String { Wording.phrase(self, filled.map { .verbatim($0) }).string }
}

extension Wording {
    /// In the user's language.
    var string: String { text(\.translated) }
}

extension Text {
    init(_ phrase: Phrase) { self.init(verbatim: phrase.translated) }
    init(_ wording: Wording) { self.init(verbatim: wording.string) }
}

extension Label where Title == Text, Icon == Image {
    init(_ phrase: Phrase, symbol: String) {
        self.init(
            title: { Text(phrase) },
            icon: { Image(systemName: symbol) })
    }
}
#endif
