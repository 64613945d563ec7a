/// What the user chose. A file of an older version lacks keys: they take their defaults.
public struct AppSettings: Equatable, Sendable, Codable {
    /// Which characters compete for the answer when drawing freely, and are practised.
    public var script: Script = .hiragana
    /// How characters are asked in practice.
    public var mode: PracticeMode = .sound
    /// Guide lines on the canvas; never part of the picture.
    public var showsGrid = true
    /// Tell the answer in a pop-up too, as the tutorial does.
    public var showsPopUp = false
    /// Buttons on the left of the canvas.
    public var isLeftHanded = false
    /// Keep corrections on the device. Off until the user turns it on.
    public var keepsSamples = false

    public init() {}

    private enum Key: String, CodingKey { case script, mode, showsGrid, showsPopUp, isLeftHanded, keepsSamples }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        script = try values.decodeIfPresent(Script.self, forKey: .script) ?? script
        mode = try values.decodeIfPresent(PracticeMode.self, forKey: .mode) ?? mode
        showsGrid = try values.decodeIfPresent(Bool.self, forKey: .showsGrid) ?? showsGrid
        showsPopUp = try values.decodeIfPresent(Bool.self, forKey: .showsPopUp) ?? showsPopUp
        isLeftHanded = try values.decodeIfPresent(Bool.self, forKey: .isLeftHanded) ?? isLeftHanded
        keepsSamples = try values.decodeIfPresent(Bool.self, forKey: .keepsSamples) ?? keepsSamples
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(script, forKey: .script)
        try values.encode(mode, forKey: .mode)
        try values.encode(showsGrid, forKey: .showsGrid)
        try values.encode(showsPopUp, forKey: .showsPopUp)
        try values.encode(isLeftHanded, forKey: .isLeftHanded)
        try values.encode(keepsSamples, forKey: .keepsSamples)
    }
}
