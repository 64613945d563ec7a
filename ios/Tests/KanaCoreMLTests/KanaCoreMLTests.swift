#if canImport(CoreML)
import CoreML
import Foundation
import KanaCoreML
import KanaInk
import KanaNetwork
import KanaReading
import Testing

/// What only a Mac can tell: Core ML compiles the bundled package, and answers as it should, wherever it computes.
@Suite struct KanaCoreMLTests {
    private let folder = URL(fileURLWithPath: #filePath).appendingPathComponent(
        "../../../../export/pretrained/japanese")

    @Test(arguments: [MLComputeUnits.cpuOnly, .cpuAndGPU, .cpuAndNeuralEngine, .all])
    func everyReferencePictureIsAnsweredAsExpected(units: MLComputeUnits) async throws {
        let labels = try ModelFacts(labelsJSON: Data(contentsOf: folder.appendingPathComponent("labels.json"))).labels
        let (images, answers) = (try array("images"), try array("answers"))
        let (area, row) = (Rasterizer.side * Rasterizer.side, labels.count * MemoryLayout<Float>.size)
        #expect(images.count / area == answers.count / row && images.count >= 100 * area)
        let model = KanaModel(url: KanaNetwork.model, units: units)
        for k in 0..<(images.count / area) {
            let picture = Picture(side: Rasterizer.side, pixels: Array(images[(k * area)..<((k + 1) * area)]))
            let given = try await model.probabilities(of: picture)
            let expected = Data(answers[(k * row)..<((k + 1) * row)]).withUnsafeBytes {
                Array($0.bindMemory(to: Float.self))
            }
            let apart = zip(labels, expected).map { abs((given[$0] ?? .infinity) - Double($1)) }.max() ?? .infinity
            // What another order of sums in float16 explains: BOUND of check_on_mac.py.
            #expect(apart <= 0.03, "picture \(k)")
        }
        #expect(try await model.facts().labels == labels)
    }

    /// The bytes of an array of `reference.npz`, which is a zip of NumPy's files.
    private func array(_ name: String) throws -> [UInt8] {
        let (unzip, output) = (Process(), Pipe())
        unzip.executableURL = URL(fileURLWithPath: "/usr/bin/unzip")
        unzip.arguments = ["-p", folder.appendingPathComponent("reference.npz").path, "\(name).npy"]
        unzip.standardOutput = output
        try unzip.run()
        let file = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
        try #require(file.count > 10)
        return Array(file[(10 + Int(file[8]) + Int(file[9]) << 8)...])  // after magic, version, length and header
    }
}
#endif
