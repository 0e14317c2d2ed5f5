/// How fast the queue empties: rows per second of the time in which at least one pass ran.
///
/// Rows and seconds are averaged apart, both with exponentially falling weight, and then divided:
/// long passes count by their length, and a short one that happened to end right after another
/// does not read as a burst of speed.
struct DrainRate {
  /// Weight of the newest pass.
  private static let weight = 1.0 / 32

  private var rows = 0.0
  private var seconds = 0.0
  /// The end of the last pass, or the start of the first one after an idle time.
  private var measuredUntil: ContinuousClock.Instant?

  /// Rows per second; nil before the first pass.
  var rowsPerSecond: Double? { seconds > 0 ? rows / seconds : nil }

  mutating func started(at now: ContinuousClock.Instant) {
    if measuredUntil == nil { measuredUntil = now }
  }

  /// - Parameter idle: no other pass runs.
  mutating func finished(rows newRows: Int, at now: ContinuousClock.Instant, idle: Bool) {
    guard let measuredUntil else { return }
    rows += (Double(newRows) - rows) * Self.weight
    seconds += (max(0, (now - measuredUntil) / .seconds(1)) - seconds) * Self.weight
    self.measuredUntil = idle ? nil : now
  }

  /// How long the passes that run have gone without one ending; zero when none runs.
  func stalledFor(at now: ContinuousClock.Instant) -> Duration {
    measuredUntil.map { max(.zero, now - $0) } ?? .zero
  }

  /// Whole seconds until so many tokens should be encoded, 1 to 60; 5 while nothing is known.
  func retryAfter(tokens: Int) -> Int {
    guard let rowsPerSecond, rowsPerSecond > 0 else { return 5 }
    return Int(min(60, max(1, (Double(tokens) / rowsPerSecond).rounded(.up))))
  }
}
