import KanaReading

/// What the user chose. Keys that a file of another version lacks take their defaults.
public struct AppSettings: Equatable, Sendable, Codable {
    /// Which characters compete when drawing freely.
    public var script = Script.japanese
    /// Which are practised.
    public var practised = Script.hiragana
    /// Rows of the tables (か行) that are practised; all where there is none.
    public var rows: Set<Int> = []
    /// New characters a day.
    public var newPerDay = 10
    /// How characters are asked in practice.
    public var mode = PracticeMode.sound
    /// Guide lines on the canvas; never part of the picture.
    public var showsGrid = true
    /// Tell the answer in a pop-up too, as the tutorial does.
    public var showsPopUp = false
    /// Buttons on the left of the canvas.
    public var isLeftHanded = false
    /// Keep corrections on the device. Off until a developer turns it on.
    public var keepsSamples = false

    public init() {}

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<T: Decodable>(_ key: CodingKeys, _ standard: T) -> T {
            (try? values.decodeIfPresent(T.self, forKey: key)) ?? standard
        }
        script = value(.script, script)
        practised = value(.practised, practised)
        rows = value(.rows, rows)
        newPerDay = value(.newPerDay, newPerDay)
        mode = value(.mode, mode)
        showsGrid = value(.showsGrid, showsGrid)
        showsPopUp = value(.showsPopUp, showsPopUp)
        isLeftHanded = value(.isLeftHanded, isLeftHanded)
        keepsSamples = value(.keepsSamples, keepsSamples)
    }
}
