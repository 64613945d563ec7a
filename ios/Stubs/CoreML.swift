// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of Core ML, for type-checking on Linux; never shipped. Signatures as we believe Apple's to be.
@_exported import CoreGraphics
@_exported import CoreVideo
@_exported import Foundation

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }

open class MLModelConfiguration: NSObject {
    public var computeUnits: MLComputeUnits {
        get { fatalError("a stub") }
        set {}
    }
}

public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }
    func featureValue(for featureName: String) -> MLFeatureValue?
}

open class MLFeatureValue: NSObject {
    public init(pixelBuffer: CVPixelBuffer) {}
    public var dictionaryValue: [AnyHashable: NSNumber] { fatalError("a stub") }
    public var stringValue: String { fatalError("a stub") }
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
    public init(dictionary: [String: Any]) throws {}
    public var featureNames: Set<String> { fatalError("a stub") }
    public func featureValue(for featureName: String) -> MLFeatureValue? { fatalError("a stub") }
}

open class MLImageConstraint: NSObject {
    public var pixelsHigh: Int { fatalError("a stub") }
    public var pixelsWide: Int { fatalError("a stub") }
    public var pixelFormatType: OSType { fatalError("a stub") }
}

open class MLFeatureDescription: NSObject {
    public var imageConstraint: MLImageConstraint? { fatalError("a stub") }
}

public struct MLModelMetadataKey: RawRepresentable, Hashable, Sendable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public static let creatorDefinedKey = MLModelMetadataKey(rawValue: "")
}

open class MLModelDescription: NSObject {
    public var inputDescriptionsByName: [String: MLFeatureDescription] { fatalError("a stub") }
    public var predictedProbabilitiesName: String? { fatalError("a stub") }
    public var metadata: [MLModelMetadataKey: Any] { fatalError("a stub") }
}

open class MLModel: NSObject {
    public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {}
    public class func compileModel(at url: URL) async throws -> URL { fatalError("a stub") }
    public var modelDescription: MLModelDescription { fatalError("a stub") }
    public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError("a stub") }
    public func prediction(from input: any MLFeatureProvider) async throws -> any MLFeatureProvider {
        fatalError("a stub")
    }
}
