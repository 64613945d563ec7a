import Foundation

// Lies here since a target of a Swift package (Package.swift) takes resources only from its own folder.

/// The bundled network, which recognizes 6,625 Japanese characters. Its terms: `japanese/MODEL_CARD.md`.
public enum KanaNetwork {
    /// The package, not compiled (`KanaModel` does that); nil where the app was built without its resources.
    public static var model: URL? { Bundle.module.url(forResource: "Kana", withExtension: "mlpackage") }
}
