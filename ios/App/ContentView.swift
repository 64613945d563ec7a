import KanaApp
import KanaInk
import KanaReading
import SwiftUI

/// A window of the app.
struct ContentView: View {
    let app: AppModel
    @State private var window: WindowModel?
    @Environment(\.scenePhase) private var phase

    var body: some View {
        Group {
            if let window { Tabs(app: app, window: window) } else { ProgressView() }
        }
        .onAppear { window = window ?? app.open() }
        .onChange(of: phase) { if phase == .active { window?.lesson.refresh() } }
        .task { await app.load() }
        .alert("Your data", isPresented: hasTrouble) {
            Button("OK") {}
        } message: {
            Text(verbatim: pending.first?.text ?? "")
        }
    }

    private var pending: [Trouble] { app.troubles.pending }

    private var hasTrouble: Binding<Bool> {
        Binding(get: { !pending.isEmpty }, set: { if !$0 { app.troubles.dismissFirst() } })
    }
}

private struct Tabs: View {
    let app: AppModel
    @Bindable var window: WindowModel

    var body: some View {
        TabView(selection: $window.tab) {
            screen("Draw", "scribble", .draw) { DrawScreen(app: app, window: window) }
            screen("Words", "text.cursor", .words) { WordsScreen(app: app, window: window) }
            screen("Practice", "graduationcap", .practice) { PracticeScreen(app: app, lesson: window.lesson) }
            #if DEBUG
            screen("Samples", "tray.full", .samples) { SamplesScreen(app: app) }
            #endif
            screen("Settings", "gearshape", .settings) { SettingsScreen(app: app) }
        }
    }

    private func screen<Content: View>(
        _ title: LocalizedStringKey, _ symbol: String, _ tab: Draft.Tab, @ViewBuilder content: () -> Content
    ) -> some View {
        NavigationStack { content().navigationTitle(title) }
            .tabItem { Label(title, systemImage: symbol) }
            .tag(tab)
    }
}

/// A canvas with `header` above and `footer` below it, or both beside it on a wide screen, on the side of the buttons.
/// What does not fit scrolls, so that even the largest text is not cut off. The canvas never scrolls.
struct CanvasLayout<Header: View, Board: View, Footer: View>: View {
    let isLeftHanded: Bool
    @ViewBuilder let header: () -> Header
    @ViewBuilder let board: () -> Board
    @ViewBuilder let footer: () -> Footer

    var body: some View {
        GeometryReader { space in
            if space.size.width > space.size.height {
                HStack(spacing: 12) {
                    if isLeftHanded { sidebar }
                    board().layoutPriority(1)
                    if !isLeftHanded { sidebar }
                }
            } else {
                VStack(spacing: 12) {
                    ViewThatFits(in: .vertical) {
                        VStack(spacing: 12, content: header)
                        ScrollView { VStack(spacing: 12, content: header) }
                    }
                    board().layoutPriority(1)
                    ScrollView { VStack(spacing: 12, content: footer) }
                }
            }
        }
        .padding()
    }

    private var sidebar: some View {
        ScrollView {
            VStack(spacing: 12) {
                header()
                footer()
            }
        }
    }
}

/// The canvas with undo, redo and clear beside it, on the side that the user chose.
struct CanvasRow: View {
    let ink: LiveReader
    let settings: AppSettings
    var aid = Aid.none
    /// What VoiceOver says about the canvas after the number of strokes.
    var status = ""
    /// The width of a wide canvas in its heights; nil for a square one.
    var heights: Double?

    var body: some View {
        HStack(alignment: .center, spacing: 12) {
            if settings.isLeftHanded { buttons }
            Group {
                if let heights {
                    WideCanvas(canvas: canvas, heights: heights).frame(height: 180)
                } else {
                    canvas.aspectRatio(1, contentMode: .fit)
                }
            }
            .overlay(Rectangle().stroke(Color.secondary))
            if !settings.isLeftHanded { buttons }
        }
    }

    private var canvas: InkCanvas {
        InkCanvas(
            ink: ink, strokes: ink.editor.strokes, showsGrid: settings.showsGrid, aid: aid,
            hint: heights == nil
                ? String(localized: "Draw one character with a finger or a pencil.")
                : String(localized: "Write words or a line. Two fingers move the paper."),
            value: String(localized: "Strokes: \(ink.editor.strokes.count.formatted())") + " " + status)
    }

    private var buttons: some View {
        VStack(spacing: 16) {
            button("Undo", "arrow.uturn.backward", ink.editor.canUndo) { ink.undo() }
                .keyboardShortcut("z", modifiers: .command)
            button("Redo", "arrow.uturn.forward", ink.editor.canRedo) { ink.redo() }
                .keyboardShortcut("z", modifiers: [.command, .shift])
            button("Clear", "trash", !ink.editor.isEmpty) {
                ink.clear()
                announce(String(localized: "Cleared"))
            }
        }
    }

    private func button(
        _ title: LocalizedStringKey, _ symbol: String, _ isEnabled: Bool, action: @escaping @MainActor () -> Void
    ) -> some View {
        Button(action: action) { Image(systemName: symbol).frame(minWidth: 44, minHeight: 44) }
            .accessibilityLabel(title)
            .disabled(!isEnabled)
    }
}

/// Let VoiceOver say a text; nothing where it is off.
@MainActor func announce(_ text: String) {
    UIAccessibility.post(notification: .announcement, argument: text)
}

#if DEBUG
struct ContentView_Previews: PreviewProvider {
    static var app: AppModel {
        AppModel(folder: FileManager.default.temporaryDirectory, reader: Unavailable(), table: KanaApplication.table)
    }

    static var previews: some View {
        ContentView(app: app)
        NavigationStack { ProgressScreen(app: app) }
        NavigationStack { TermsScreen(attribution: app.table.attribution) }
    }

    /// No network is loaded in a preview.
    private struct Unavailable: CharacterReading {
        func facts() throws -> ModelFacts { throw CocoaError(.featureUnsupported) }
        func probabilities(of picture: Picture) throws -> [String: Double] { throw CocoaError(.featureUnsupported) }
    }
}
#endif
