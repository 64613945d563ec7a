import Foundation

/// The time, as it is or as a test wants it.
public struct Clock: Sendable {
    /// Milliseconds that only go forward.
    let now: @MainActor @Sendable () -> Int
    /// As `Deck.day` counts.
    let today: @MainActor @Sendable () -> Int
    /// Waits so many milliseconds; throws if cancelled.
    let sleep: @Sendable (Int) async throws -> Void

    public static let system = Clock(
        now: { Int(ProcessInfo.processInfo.systemUptime * 1000) }, today: { Deck.day(of: Date(), in: .current) },
        sleep: { try await Task.sleep(for: .milliseconds($0)) })
}
