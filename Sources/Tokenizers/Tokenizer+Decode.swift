extension Tokenizer {
  /// Text that the tokens could come from, as the folder's decoder writes it.
  ///
  /// - Parameters:
  ///   - ids: those that the vocabulary does not have are left out.
  ///   - skipSpecialTokens: leave `[CLS]` and its like out.
  public func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true) -> String {
    let skipped = skipSpecialTokens ? specialIDs : []
    return decoder.text(
      of: ids.lazy.filter { !skipped.contains($0) }.compactMap(vocabulary.token))
  }
}
