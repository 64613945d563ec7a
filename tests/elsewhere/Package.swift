// swift-tools-version: 6.2
// Somebody else's package, which depends on fastetl's. It is built by tests/test_ios.py.
import PackageDescription

let package = Package(
    name: "elsewhere",
    platforms: [.macOS(.v14)],
    dependencies: [.package(name: "fastetl", path: "../..")],
    targets: [
        .executableTarget(
            name: "elsewhere",
            dependencies: ["KanaInk", "KanaReading", "KanaCoreML", "KanaLines", "KanaNetwork", "KanaPhoto"].map {
                .product(name: $0, package: "fastetl")
            })
    ]
)
