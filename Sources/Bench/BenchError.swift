/// Why nothing is measured.
public enum BenchError: Error, Equatable, Sendable, CustomStringConvertible {
  case noShape(String, positions: Int)

  public var description: String {
    switch self {
    case .noShape(let text, let positions):
      "--shapes takes COUNTxLENGTH,… of at most \(positions) tokens, not '\(text)'"
    }
  }
}
