import KanaReading

/// The user's choices. Keys that a saved file lacks have their defaults.
public struct AppSettings: Equatable, Sendable, Codable {
    /// The characters that compete when the user draws freely.
    public var script = Script.japanese
    /// The characters that are practised.
    public var practised = Script.hiragana
    /// Rows of the tables (か行) that are practised; all if empty.
    public var rows: Set<Int> = []
    /// New characters a day.
    public var newPerDay = 10
    /// How characters are asked in practice.
    public var mode = PracticeMode.sound
    /// Show guide lines on the canvas. They are never part of the picture.
    public var showsGrid = true
    /// Show the answer in a pop-up too, as the tutorial does.
    public var showsPopUp = false
    /// Put the buttons on the left of the canvas.
    public var isLeftHanded = false
    /// Keep corrections on the device. Only a developer can turn it on.
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
        newPerDay = min(max(value(.newPerDay, newPerDay), 0), 100)
        mode = value(.mode, mode)
        showsGrid = value(.showsGrid, showsGrid)
        showsPopUp = value(.showsPopUp, showsPopUp)
        isLeftHanded = value(.isLeftHanded, isLeftHanded)
        keepsSamples = value(.keepsSamples, keepsSamples)
    }
}
