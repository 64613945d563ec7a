import CoreML

// What Xcode generates for Kana.mlpackage in an app's target, as far as docs/ios.md uses it; never shipped.
class Kana {
    init(configuration: MLModelConfiguration) throws {}
    func prediction(image: CVPixelBuffer) throws -> KanaOutput { fatalError("a stub") }
}

class KanaOutput {
    var classLabel: String { fatalError("a stub") }
}
