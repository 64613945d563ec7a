import KanaInk

/// Something that reads a picture: the Core ML model in an app, a stand-in in tests.
public protocol CharacterReading: Sendable {
    /// What the package says of itself; loads it where it is not loaded yet.
    func facts() async throws -> ModelFacts
    /// Every label with its probability.
    func probabilities(of picture: Picture) async throws -> [String: Double]
}

extension CharacterReading {
    /// Read a drawing. The picture is made off the caller's actor, so that a screen never waits for it.
    @concurrent public func verdict(on drawing: Drawing, script: Script) async throws -> Verdict {
        let facts = try await facts()
        let picture = Rasterizer.picture(of: drawing)
        return try Verdict(probabilities: await probabilities(of: picture), facts: facts, script: script)
    }
}
