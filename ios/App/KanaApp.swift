import Foundation
import KanaApp
import KanaCoreML
import SwiftUI

@main
struct KanaApplication: App {
    @State private var app = AppModel(
        folder: FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask)[0]
            .appendingPathComponent("Kana"), reader: KanaModel(url: KanaApplication.model),
        table: KanaApplication.table,
        version: Bundle.main.object(forInfoDictionaryKey: "CFBundleShortVersionString") as? String ?? "")

    var body: some Scene {
        WindowGroup { ContentView(app: app) }
    }

    /// Xcode compiles the package into the app.
    static let model = Bundle.main.url(forResource: "Kana", withExtension: "mlmodelc")

    static let table: PracticeTable = {
        do { return try PracticeTable.bundled() } catch { fatalError("practice.json of this very app: \(error)") }
    }()
}
