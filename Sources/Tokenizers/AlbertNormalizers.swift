/// What transformers' `AlbertTokenizer` does to a text before it is cut: quotation marks, compatibility
/// characters and accents, lower case, SentencePiece's map of characters.
struct AlbertNormalizers {
  var keepsAccents: Bool
  var lowercases: Bool
  /// Whether it leaves repeated spaces to the pre-tokenizers, as since transformers 5.
  var isCurrent: Bool

  /// Nil if the steps are others.
  init?(_ steps: [NormalizerStep]) {
    var rest = steps[...]
    func takes(_ isWanted: (NormalizerStep) -> Bool) -> Bool {
      guard let first = rest.first, isWanted(first) else { return false }
      rest.removeFirst()
      return true
    }
    for mark: UInt32 in [0x60, 0x27] {
      guard
        takes({ if case .replace(.text([mark, mark]), with: [0x22]) = $0 { true } else { false } })
      else { return nil }
    }
    keepsAccents = !takes { if case .nfkd = $0 { true } else { false } }
    guard keepsAccents || takes({ if case .stripAccents = $0 { true } else { false } }) else {
      return nil
    }
    lowercases = takes { if case .lowercase = $0 { true } else { false } }
    _ = takes { if case .precompiled = $0 { true } else { false } }
    isCurrent = !takes {
      if case .replace(.spaces, with: [0x20]) = $0 { true } else { false }
    }
    guard rest.isEmpty else { return nil }
  }
}
