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
    for mark: UInt32 in [0x60, 0x27] {
      guard
        rest.takeFirst(if: {
          if case .replace(.text([mark, mark]), with: [0x22]) = $0 { true } else { false }
        })
      else { return nil }
    }
    keepsAccents = !rest.takeFirst { if case .nfkd = $0 { true } else { false } }
    guard keepsAccents || rest.takeFirst(if: { if case .stripAccents = $0 { true } else { false } })
    else {
      return nil
    }
    lowercases = rest.takeFirst { if case .lowercase = $0 { true } else { false } }
    _ = rest.takeFirst { if case .precompiled = $0 { true } else { false } }
    isCurrent = !rest.takeFirst {
      if case .replace(.spaces, with: [0x20]) = $0 { true } else { false }
    }
    guard rest.isEmpty else { return nil }
  }
}
