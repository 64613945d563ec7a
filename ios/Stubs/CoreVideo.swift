// swift-format-ignore-file: AlwaysUseLowerCamelCase, UseSynthesizedInitializer

// What the app uses of Core Video, for type-checking on Linux; never shipped. Signatures as we believe Apple's to be.
@_exported import Foundation

public typealias CVReturn = Int32
public typealias OSType = UInt32
public typealias CVOptionFlags = UInt64
public typealias CFAllocator = AnyObject
public typealias CFDictionary = NSDictionary

public class CVBuffer {}
public typealias CVImageBuffer = CVBuffer
public typealias CVPixelBuffer = CVImageBuffer

public let kCVReturnSuccess: CVReturn = 0
public let kCVReturnInvalidArgument: CVReturn = -6661
public let kCVPixelFormatType_OneComponent8: OSType = 0x4C30_3038
public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241

public struct CVPixelBufferLockFlags: OptionSet, Sendable {
    public let rawValue: CVOptionFlags
    public init(rawValue: CVOptionFlags) { self.rawValue = rawValue }
    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)
}

public func CVPixelBufferCreate(
    _ allocator: CFAllocator?, _ width: Int, _ height: Int, _ pixelFormatType: OSType,
    _ pixelBufferAttributes: CFDictionary?, _ pixelBufferOut: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn { fatalError("a stub") }
public func CVPixelBufferLockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags) -> CVReturn {
    fatalError("a stub")
}
public func CVPixelBufferUnlockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags) -> CVReturn {
    fatalError("a stub")
}
public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? { fatalError("a stub") }
public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { fatalError("a stub") }
public func CVPixelBufferGetHeight(_ buffer: CVPixelBuffer) -> Int { fatalError("a stub") }
public func CVPixelBufferGetWidth(_ buffer: CVPixelBuffer) -> Int { fatalError("a stub") }
