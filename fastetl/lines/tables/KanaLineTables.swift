// Lies here since a target of a Swift package (Package.swift) takes resources only from its own folder.

import Foundation

/// The tables by which Python, the pad and KanaLines read lines: bigrams.bin, follows.json, shapes.bin, weights.json.
package enum KanaLineTables {
    /// Throws where the app was built without its resources.
    package static func file(_ name: String) throws -> Data {
        guard let url = Bundle.module.url(forResource: name, withExtension: nil) else {
            throw CocoaError(.fileNoSuchFile)
        }
        return try Data(contentsOf: url)
    }
}
