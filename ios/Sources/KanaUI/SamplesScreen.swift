#if canImport(SwiftUI) && canImport(UIKit)
import Foundation
import KanaInk
import KanaReading
import SwiftUI
import UIKit

/// The corrections that were kept: look, delete, share. They leave the device by the share sheet alone.
struct SamplesScreen: View {
    @ObservedObject var app: AppModel
    @State private var shares = false
    @State private var asks = false

    var body: some View {
        List {
            if app.samples.isEmpty {
                Text(app.settings.keepsSamples ? Phrase.samplesEmpty : Phrase.samplesOff)
            }
            ForEach(app.samples) { sample in
                HStack {
                    Thumbnail(drawing: sample.drawing).frame(width: 48, height: 48)
                    Text(Wording.phrase(.sampleRow, sample.label, sample.answer))
                    Spacer()
                    Text(verbatim: String(sample.time.prefix(10))).font(.footnote)
                }
                .accessibilityElement(children: .combine)
            }
            .onDelete { places in app.delete(Set(places.map { app.samples[$0].id })) }
            if !app.samples.isEmpty {
                Button(action: { shares = true }) { Label(.share, symbol: "square.and.arrow.up") }
                Button(role: .destructive, action: { asks = true }) { Text(Phrase.deleteAll) }
            }
        }
        .sheet(isPresented: $shares) { ShareSheet(file: app.store.file) }
        .confirmationDialog(Text(Phrase.deleteAllQuestion), isPresented: $asks, titleVisibility: .visible) {
            Button(role: .destructive, action: { app.deleteAll() }) { Text(Phrase.deleteAll) }
        }
    }
}

/// A small picture of a drawing's strokes.
private struct Thumbnail: View {
    let drawing: Drawing

    var body: some View {
        Canvas { context, size in
            let k = min(size.width / CGFloat(drawing.width), size.height / CGFloat(drawing.height))
            for stroke in drawing.strokes {
                let points = zip(stroke.x, stroke.y).map { CGPoint(x: CGFloat($0) * k, y: CGFloat($1) * k) }
                guard let first = points.first else { continue }
                var path = Path()
                path.move(to: first)
                for point in points.count == 1 ? points[...] : points.dropFirst() { path.addLine(to: point) }
                context.stroke(
                    path, with: .color(.primary),
                    style: StrokeStyle(lineWidth: size.width * CGFloat(drawing.pen), lineCap: .round, lineJoin: .round))
            }
        }
        .accessibilityHidden(true)
    }
}

/// The system's share sheet for one file.
private struct ShareSheet: UIViewControllerRepresentable {
    let file: URL

    func makeUIViewController(context: Context) -> UIActivityViewController {
        UIActivityViewController(activityItems: [file], applicationActivities: nil)
    }

    func updateUIViewController(_ controller: UIActivityViewController, context: Context) {}
}
#endif
