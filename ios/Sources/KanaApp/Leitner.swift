import Foundation

/// What is remembered of one character.
public struct Card: Equatable, Sendable, Codable {
    /// 1–5.
    public var box: Int
    /// The day on which it is asked again, as `Deck.day` counts.
    public var due: Int
    public var right: Int
    public var missed: Int
    /// The day on which it was asked first; nil in files of older versions.
    public var first: Int?

    /// Whether the user has shown to know it.
    public var isKnown: Bool { box > 1 }
}

/// Spaced repetition by Leitner's boxes (Leitner, So lernt man lernen, 1972), as the pad has it: what is right at once
/// moves on a box, what is right at the second attempt stays in its box, what is missed goes back to the first.
public struct Deck: Equatable, Sendable, Codable {
    /// Days after which a character of each box is due.
    public static let days = [0, 1, 3, 7, 21]

    public private(set) var cards: [String: Card] = [:]

    public init() {}

    /// Days since 1970 in the calendar's time zone: a new day begins at midnight where the user is.
    public static func day(of date: Date, in calendar: Calendar) -> Int {
        Int(
            ((date.timeIntervalSince1970 + Double(calendar.timeZone.secondsFromGMT(for: date))) / 86_400).rounded(.down)
        )
    }

    /// `misses`: how often the character was written wrong before it was right; 2 if it never was.
    public mutating func record(_ character: String, misses: Int, today: Int) {
        var card = cards[character] ?? Card(box: 1, due: today, right: 0, missed: 0, first: today)
        if misses == 0 {
            card.box = min(card.box + 1, Self.days.count)
        } else if misses >= PracticeTask.mostMisses {
            card.box = 1
        }
        card.due = today + Self.days[card.box - 1]
        card.right += misses == 0 ? 1 : 0
        card.missed += misses == 0 ? 0 : 1
        cards[character] = card
    }

    public func isKnown(_ character: String) -> Bool { cards[character]?.isKnown ?? false }

    /// The character to ask next, of `characters` in the order in which they are learnt: the one that is due longest,
    /// then one that was never asked, of which there are `newPerDay` a day. One of `recent` (the last asked, in order)
    /// only where there is no other, and of them the one that was asked first. Nil where nothing is due and none is new.
    public func next(of characters: [String], today: Int, newPerDay: Int = .max, recent: [String] = []) -> String? {
        let due = characters.enumerated()
            .compactMap { place, character in cards[character].map { ($0.due, place, character) } }
            .filter { $0.0 <= today }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            .map(\.2)
        let begun = cards.values.filter { $0.first == today }.count
        let waiting = due + characters.filter { cards[$0] == nil }.prefix(max(newPerDay - begun, 0))
        return waiting.first { !recent.contains($0) } ?? recent.first { waiting.contains($0) }
    }

    /// How many of `characters` are due today, those that were never asked not counted.
    public func dueCount(of characters: [String], today: Int) -> Int {
        characters.filter { cards[$0].map { $0.due <= today } ?? false }.count
    }
}
