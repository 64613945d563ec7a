// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app and docs/ios.md use of Vision, for type-checking on Linux; never shipped.
@_exported import CoreGraphics
import CoreML

public enum VNImageCropAndScaleOption: UInt, Sendable { case centerCrop, scaleFit, scaleFill }
open class VNCoreMLModel: NSObject {}
open class VNObservation: NSObject {}

open class VNClassificationObservation: VNObservation {
    public var identifier: String { fatalError("a stub") }
    public var confidence: Float { fatalError("a stub") }
}

open class VNRequest: NSObject {}

open class VNCoreMLRequest: VNRequest {
    public init(model: VNCoreMLModel) {}
    public var imageCropAndScaleOption: VNImageCropAndScaleOption {
        get { .centerCrop }
        set {}
    }
    public var results: [VNObservation]? { nil }
}

open class VNImageRequestHandler: NSObject {
    public init(cgImage: CGImage) {}
    public func perform(_ requests: [VNRequest]) throws {}
}
