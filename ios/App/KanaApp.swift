import Foundation
import KanaUI
import SwiftUI

@main
struct KanaApp: App {
    @StateObject private var model = AppModel(bundle: .main, folder: KanaApp.folder)

    var body: some Scene {
        WindowGroup { ContentView(app: model) }
    }

    /// Where the app keeps what is the user's: in his backups, in no other app's reach.
    private static var folder: URL {
        let found = FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask)
        return (found.first ?? FileManager.default.temporaryDirectory).appendingPathComponent("Kana")
    }
}
