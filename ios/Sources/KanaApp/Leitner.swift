import Foundation

/// How well the user knows one character.
public struct Card: Equatable, Sendable, Codable {
    /// 1–5.
    public var box: Int
    /// The day on which it is asked again, as `Deck.day` counts.
    public var due: Int
    public var right: Int
    public var missed: Int
    /// The day on which it was first asked; nil in files of older versions.
    public var first: Int?

    /// Whether the user has written it right.
    public var isKnown: Bool { box > 1 }
}

extension Card {
    /// A box that there is not becomes the nearest one, so that the rest of a file that somebody edited is kept.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        box = min(max(try values.decode(Int.self, forKey: .box), 1), Deck.days.count)
        due = try values.decode(Int.self, forKey: .due)
        right = try values.decode(Int.self, forKey: .right)
        missed = try values.decode(Int.self, forKey: .missed)
        first = try values.decodeIfPresent(Int.self, forKey: .first)
    }
}

/// Spaced repetition by Leitner's boxes (Leitner, So lernt man lernen, 1972), as on the pad. A character that is right
/// at once moves to the next box; one that is right at the second attempt stays; one that is missed returns to the
/// first.
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
        } else if misses >= PracticeTask.maxMisses {
            card.box = 1
        }
        card.due = today + Self.days[card.box - 1]
        card.right += misses == 0 ? 1 : 0
        card.missed += misses == 0 ? 0 : 1
        cards[character] = card
    }

    public func isKnown(_ character: String) -> Bool { cards[character]?.isKnown ?? false }

    /// The character to ask next: the one that has been due longest, else a new one, of which there are `newPerDay` a
    /// day.
    ///
    /// `characters`: in the order in which they are learnt. `recent`: those asked last, in order; one of them is taken
    /// only if there is no other, and then the one asked first. Nil if no character is due and none is new.
    public func next(of characters: [String], today: Int, newPerDay: Int = .max, recent: [String] = []) -> String? {
        let dueCharacters = characters.enumerated()
            .compactMap { position, character in cards[character].map { ($0.due, position, character) } }
            .filter { $0.0 <= today }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            .map(\.2)
        let newCount = cards.values.filter { $0.first == today }.count
        let queue = dueCharacters + characters.filter { cards[$0] == nil }.prefix(max(newPerDay - newCount, 0))
        return queue.first { !recent.contains($0) } ?? recent.first { queue.contains($0) }
    }

    /// How many of `characters` are due today. Those that were never asked do not count.
    public func dueCount(of characters: [String], today: Int) -> Int {
        characters.filter { cards[$0].map { $0.due <= today } ?? false }.count
    }
}
