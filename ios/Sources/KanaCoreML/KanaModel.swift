#if canImport(CoreML)
import CoreML
import CoreVideo
import Foundation
import KanaInk
import KanaReading

/// The Core ML model with its pixel buffer. Neither leaves this actor: it takes pictures and gives numbers.
///
/// The model is loaded when it is first used, off the main actor: from what Xcode compiled (`.mlmodelc`), or from a
/// package (`.mlpackage`), which is compiled first.
public actor KanaModel: CharacterReading {
    private struct Loaded {
        let model: MLModel
        let facts: ModelFacts
        let input: String
        let probabilities: String
        let buffer: CVPixelBuffer
    }

    private let url: URL?
    private let units: MLComputeUnits
    private var loaded: Loaded?
    private var loading: Task<URL?, any Error>?

    /// `url`: of the model, nil if the app has none: `KanaNetwork.model`, or
    /// `Bundle.main.url(forResource: "Kana", withExtension: "mlmodelc")`.
    ///
    /// `units`: `.cpuOnly` by default, since the network is small, and its preprocessing is in float32, which the
    /// Neural Engine does not compute: other choices move data between processors in every reading. "Check this device"
    /// in a debug build measures whether another is faster on a device; nobody has done so yet.
    public init(url: URL?, units: MLComputeUnits = .cpuOnly) {
        self.url = url
        self.units = units
    }

    public func facts() async throws -> ModelFacts { try await ready().facts }

    public func probabilities(of picture: Picture) async throws -> [String: Double] {
        try answer(await ready(), to: picture)
    }

    /// Not async: Core ML's async prediction would be called, and another question could fill the buffer meanwhile.
    private func answer(_ ready: Loaded, to picture: Picture) throws -> [String: Double] {
        try Self.fill(ready.buffer, with: picture)
        let image = MLFeatureValue(pixelBuffer: ready.buffer)
        let output = try ready.model.prediction(
            from: MLDictionaryFeatureProvider(dictionary: [ready.input: image]))
        guard let answer = output.featureValue(for: ready.probabilities)?.dictionaryValue else {
            throw KanaModelError.unexpected("an output \(ready.probabilities) with probabilities")
        }
        var probabilities: [String: Double] = [:]
        for (label, probability) in answer {
            guard let label = label as? String else {
                throw KanaModelError.unexpected("labels that are texts")
            }
            probabilities[label] = probability.doubleValue
        }
        return probabilities
    }

    private func ready() async throws -> Loaded {
        if let loaded { return loaded }
        if loading == nil { loading = Task { try await compiled() } }
        let file: URL?
        do { file = try await loading?.value } catch {
            loading = nil  // the next question tries again
            throw error
        }
        if let loaded { return loaded }  // by another question meanwhile
        guard let file else { throw KanaModelError.missing }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units
        let model = try MLModel(contentsOf: file, configuration: configuration)
        let description = model.modelDescription
        guard let (input, image) = description.inputDescriptionsByName.first,
            description.inputDescriptionsByName.count == 1, let constraint = image.imageConstraint
        else { throw KanaModelError.unexpected("one input that is an image") }
        let side = Rasterizer.side
        guard constraint.pixelsWide == side, constraint.pixelsHigh == side,
            constraint.pixelFormatType == kCVPixelFormatType_OneComponent8
        else { throw KanaModelError.unexpected("a grey image of \(side) × \(side), one byte a pixel") }
        guard let probabilities = description.predictedProbabilitiesName else {
            throw KanaModelError.unexpected("a classifier with probabilities")
        }
        guard let metadata = description.metadata[.creatorDefinedKey] as? [String: String] else {
            throw KanaModelError.unexpected("metadata written by fastetl")
        }
        let ready = Loaded(
            model: model, facts: try ModelFacts(metadata: metadata), input: input, probabilities: probabilities,
            buffer: try Self.buffer(side: side))
        loaded = ready
        return ready
    }

    private func compiled() async throws -> URL? {
        guard let url, url.pathExtension == "mlpackage" else { return url }
        return try await MLModel.compileModel(at: url)
    }

    private static func buffer(side: Int) throws -> CVPixelBuffer {
        var newBuffer: CVPixelBuffer?
        let status = CVPixelBufferCreate(nil, side, side, kCVPixelFormatType_OneComponent8, nil, &newBuffer)
        guard status == kCVReturnSuccess, let buffer = newBuffer else {
            throw KanaModelError.status("CVPixelBufferCreate", status)
        }
        return buffer
    }

    private static func fill(_ buffer: CVPixelBuffer, with picture: Picture) throws {
        var status = CVPixelBufferLockBaseAddress(buffer, [])
        guard status == kCVReturnSuccess else {
            throw KanaModelError.status("CVPixelBufferLockBaseAddress", status)
        }
        let copyResult = Result {
            guard let base = CVPixelBufferGetBaseAddress(buffer) else {
                throw KanaModelError.unexpected("a buffer in memory")
            }
            let stride = CVPixelBufferGetBytesPerRow(buffer)
            let memory = UnsafeMutableRawBufferPointer(
                start: base, count: stride * CVPixelBufferGetHeight(buffer))
            try picture.copyRows(to: memory, bytesPerRow: stride)
        }
        status = CVPixelBufferUnlockBaseAddress(buffer, [])
        try copyResult.get()
        guard status == kCVReturnSuccess else {
            throw KanaModelError.status("CVPixelBufferUnlockBaseAddress", status)
        }
    }
}

/// Why the model gives no answer.
public enum KanaModelError: KanaError, Equatable {
    /// The app was built without a model.
    case missing
    /// A function of Core Video answered with this code.
    case status(String, CVReturn)
    /// The package is not as expected.
    case unexpected(String)

    public var description: String {
        switch self {
        case .missing: return "model: expected one in this app, found none: add its package to the target"
        case .status(let function, let code): return "model: \(function): expected status 0, found \(code)"
        case .unexpected(let expected): return "model: expected \(expected): export the package again"
        }
    }
}
#endif
