#if canImport(SwiftUI) && canImport(UIKit)
import KanaReading
import SwiftUI

/// The app's four screens.
public struct ContentView: View {
    @ObservedObject private var app: AppModel

    public init(app: AppModel) { self.app = app }

    public var body: some View {
        TabView {
            Screen(title: .draw, symbol: "scribble") { DrawScreen(app: app) }
            Screen(title: .practice, symbol: "graduationcap") { PracticeScreen(app: app) }
            Screen(title: .samples, symbol: "tray.full") { SamplesScreen(app: app) }
            Screen(title: .settings, symbol: "gearshape") { SettingsScreen(app: app) }
        }
        .task { await app.load() }
    }
}

/// A tab with a title.
private struct Screen<Content: View>: View {
    let title: Phrase
    let symbol: String
    @ViewBuilder let content: () -> Content

    var body: some View {
        NavigationView { content().navigationTitle(Text(title)) }
            .navigationViewStyle(.stack)
            .tabItem { Label(title, symbol: symbol) }
    }
}

/// A canvas with what is told above it and what is chosen below; on a wide screen beside it, on the side of the buttons.
/// What does not fit scrolls, so that the largest text is not cut off; the canvas itself never does.
struct CanvasLayout<Head: View, Board: View, Rest: View>: View {
    let isLeftHanded: Bool
    @ViewBuilder let head: () -> Head
    @ViewBuilder let board: () -> Board
    @ViewBuilder let rest: () -> Rest

    var body: some View {
        GeometryReader { space in
            if space.size.width > space.size.height {
                HStack(spacing: 12) {
                    if isLeftHanded { beside }
                    board().layoutPriority(1)
                    if !isLeftHanded { beside }
                }
            } else {
                VStack(spacing: 12) {
                    head()
                    board().layoutPriority(1)
                    ScrollView(.vertical) { VStack(spacing: 12, content: rest) }
                }
            }
        }
        .padding()
    }

    private var beside: some View {
        ScrollView(.vertical) {
            VStack(spacing: 12) {
                head()
                rest()
            }
        }
    }
}

/// The canvas with undo, redo and clear beside it, on the side that the user chose.
struct CanvasRow: View {
    @ObservedObject var ink: InkModel
    let settings: AppSettings
    var aid = Aid.none

    var body: some View {
        HStack(alignment: .center, spacing: 12) {
            if settings.isLeftHanded { buttons }
            InkCanvas(ink: ink, showsGrid: settings.showsGrid, aid: aid)
                .aspectRatio(1, contentMode: .fit)
                .overlay(Rectangle().stroke(Color.secondary))
            if !settings.isLeftHanded { buttons }
        }
    }

    private var buttons: some View {
        VStack(spacing: 16) {
            button(.undo, "arrow.uturn.backward", ink.reader.editor.canUndo) { ink.reader.undo() }
            button(.redo, "arrow.uturn.forward", ink.reader.editor.canRedo) { ink.reader.redo() }
            button(.clear, "trash", !ink.isEmpty) {
                ink.reader.clear()
                announce(Phrase.cleared.translated)
            }
        }
    }

    private func button(
        _ phrase: Phrase, _ symbol: String, _ isEnabled: Bool, action: @escaping @MainActor () -> Void
    ) -> some View {
        Button(action: action) { Image(systemName: symbol).frame(minWidth: 44, minHeight: 44) }
            .accessibilityLabel(Text(phrase))
            .disabled(!isEnabled)
    }
}
#endif
