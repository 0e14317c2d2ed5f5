/// What transformers' `DebertaV2Tokenizer` does to a text before its model: lower case, white space and
/// compositions, then perhaps a cut at punctuation, and SentencePiece's spaces.
struct DeBERTaSteps {
  var lowercases: Bool
  var splitsPunctuation: Bool
  var addsPrefixSpace: Bool
  /// Whether the steps are those since transformers 5; before, they were SentencePiece's map of
  /// characters.
  var isCurrent: Bool

  /// Nil if the steps are others.
  init?(_ normalizers: [NormalizerStep], _ preTokenizers: [PreTokenizerStep]) {
    var rest = normalizers[...]
    func takes(_ isWanted: (NormalizerStep) -> Bool) -> Bool {
      guard let first = rest.first, isWanted(first) else { return false }
      rest.removeFirst()
      return true
    }
    lowercases = takes { if case .lowercase = $0 { true } else { false } }
    isCurrent = takes {
      if case .replace(.repeatedOrLine, with: [0x20]) = $0 { true } else { false }
    }
    if isCurrent {
      guard takes({ if case .nfc = $0 { true } else { false } }),
        takes({ if case .strip(left: false, right: true) = $0 { true } else { false } })
      else { return nil }
    } else {
      guard takes({ if case .strip(left: true, right: true) = $0 { true } else { false } }) else {
        return nil
      }
      _ = takes { if case .precompiled = $0 { true } else { false } }
      guard takes({ if case .replace(.spaces, with: [0x20]) = $0 { true } else { false } }) else {
        return nil
      }
    }
    guard rest.isEmpty, case .metaspace(let metaspace)? = preTokenizers.last, metaspace.splits,
      metaspace.replacement == 0x2581, metaspace.prepends != .never
    else { return nil }
    addsPrefixSpace = metaspace.prepends == .always
    switch (preTokenizers.count, preTokenizers[0]) {
    case (1, _): splitsPunctuation = false
    case (2, .punctuation(.isolated)): splitsPunctuation = true
    default: return nil
    }
  }
}
