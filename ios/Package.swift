// swift-tools-version: 6.0
// Swift 6 language mode, no dependencies. Builds on Linux and on Apple's systems; where Apple's frameworks are missing,
// KanaCoreML and KanaUI are empty.
import PackageDescription

let package = Package(
    name: "KanaKit",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "KanaUI", targets: ["KanaUI"])],
    targets: [
        .target(name: "KanaInk"),
        .target(name: "KanaReading", dependencies: ["KanaInk"]),
        .target(name: "KanaCoreML", dependencies: ["KanaInk", "KanaReading"]),
        .target(name: "KanaUI", dependencies: ["KanaInk", "KanaReading", "KanaCoreML"]),
        .executableTarget(name: "kana-raster", dependencies: ["KanaInk"]),
        .testTarget(name: "KanaInkTests", dependencies: ["KanaInk"]),
        .testTarget(name: "KanaReadingTests", dependencies: ["KanaReading"]),
    ]
)
