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
    lowercases = rest.takeFirst { if case .lowercase = $0 { true } else { false } }
    isCurrent = rest.takeFirst {
      if case .replace(.repeatedSpacesOrLineBreak, with: [0x20]) = $0 { true } else { false }
    }
    if isCurrent {
      guard rest.takeFirst(if: { if case .nfc = $0 { true } else { false } }),
        rest.takeFirst(if: { if case .strip(left: false, right: true) = $0 { true } else { false } }
        )
      else { return nil }
    } else {
      guard
        rest.takeFirst(if: { if case .strip(left: true, right: true) = $0 { true } else { false } })
      else {
        return nil
      }
      _ = rest.takeFirst { if case .precompiled = $0 { true } else { false } }
      guard
        rest.takeFirst(if: { if case .replace(.spaces, with: [0x20]) = $0 { true } else { false } })
      else {
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
