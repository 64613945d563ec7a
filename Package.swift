// swift-tools-version: 6.2
// No dependencies. On Linux everything but what needs Apple's frameworks is built and tested; KanaCoreML is empty there.
import PackageDescription

let package = Package(
    name: "fastetl",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "KanaInk", targets: ["KanaInk"]),
        .library(name: "KanaReading", targets: ["KanaReading"]),
        .library(name: "KanaCoreML", targets: ["KanaCoreML"]),
        .library(name: "KanaLines", targets: ["KanaLines"]),
        .library(name: "KanaNetwork", targets: ["KanaNetwork"]),
        .library(name: "KanaPhoto", targets: ["KanaPhoto"]),
        .library(name: "KanaApp", targets: ["KanaApp"]),
    ],
    targets: [
        .target(name: "KanaInk", path: "ios/Sources/KanaInk"),
        .target(name: "KanaPhoto", dependencies: ["KanaInk"], path: "ios/Sources/KanaPhoto"),
        .target(name: "KanaReading", dependencies: ["KanaInk"], path: "ios/Sources/KanaReading"),
        .target(name: "KanaCoreML", dependencies: ["KanaInk", "KanaReading"], path: "ios/Sources/KanaCoreML"),
        .target(
            name: "KanaNetwork", path: "export/pretrained",
            exclude: [
                "kana", "japanese/MODEL_CARD.md", "japanese/kana.onnx",
                "japanese/labels.json", "japanese/reference.npz", "japanese/verification.json",
            ], sources: ["KanaNetwork.swift"], resources: [.copy("japanese/Kana.mlpackage")]),
        .target(
            name: "KanaLineTables", path: "fastetl/lines/tables", exclude: ["whole.bin"],
            resources: [.copy("bigrams.bin"), .copy("follows.json"), .copy("shapes.bin"), .copy("weights.json")]),
        .target(
            name: "KanaLines", dependencies: ["KanaInk", "KanaReading", "KanaLineTables"],
            path: "ios/Sources/KanaLines"),
        .target(
            name: "KanaApp", dependencies: ["KanaInk", "KanaReading", "KanaLines"], path: "ios/Sources/KanaApp",
            resources: [.copy("practice.json")]),
        .testTarget(name: "KanaInkTests", dependencies: ["KanaInk"], path: "ios/Tests/KanaInkTests"),
        .testTarget(name: "KanaPhotoTests", dependencies: ["KanaPhoto"], path: "ios/Tests/KanaPhotoTests"),
        .testTarget(name: "KanaReadingTests", dependencies: ["KanaReading"], path: "ios/Tests/KanaReadingTests"),
        .testTarget(name: "KanaLinesTests", dependencies: ["KanaLines"], path: "ios/Tests/KanaLinesTests"),
        .testTarget(
            name: "KanaCoreMLTests", dependencies: ["KanaCoreML", "KanaNetwork"], path: "ios/Tests/KanaCoreMLTests"),
        .testTarget(name: "KanaAppTests", dependencies: ["KanaApp"], path: "ios/Tests/KanaAppTests"),
    ],
    swiftLanguageModes: [.v6]
)
