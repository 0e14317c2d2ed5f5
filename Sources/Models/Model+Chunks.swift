import BERT
import Checkpoints
public import EncoderContract
public import Tokenizers

extension Model {
  /// Chunks of one text at most.
  public static let maxChunks = 1 << 16

  /// Encodes texts in chunks of `maxTokens` tokens: nothing of a long text is left out. The chunks are
  /// those of `return_overflowing_tokens` and `stride` in transformers.
  ///
  /// - Parameters:
  ///   - inputs: single texts; the folder's default prompt is put before each chunk if a `sentence_embedding` is
  ///     asked for.
  ///   - selection: the entries that are wanted.
  ///   - maxTokens: of a chunk, special ones and the prompt included; nil for the folder's limit.
  ///   - overlap: tokens that a chunk shares with the one before; at most half of its own.
  /// - Returns: in the order of the inputs, the chunks of each, or why it cannot be encoded.
  public func encodeChunks(
    of inputs: [TokenizerInput], for selection: OutputSelection, maxTokens: Int? = nil, overlap: Int
  ) throws(EncodeError) -> [Result<[EncodedText], InputError>] {
    let limit = maxTokens ?? files.maxTokens
    let prompt = prompt(for: selection) ?? ""
    let chunks = onAllThreads(inputs) { self.chunks(of: $0, prompt, limit, overlap) }
    let pieces = chunks.flatMap { (try? $0.get()) ?? [] }
    var results = try encode(pieces.map { .success($0.tokens) }, for: selection).makeIterator()
    return chunks.map { chunks in
      chunks.flatMap { chunks in
        var encoded: [EncodedText] = []
        // A chunk that fails fails its text; the results of the others are passed over.
        var failure: InputError?
        for chunk in chunks {
          switch results.next() {
          case .success(var text)?:
            text.bytes = chunk.bytes
            encoded.append(text)
          case .failure(let error)?: failure = failure ?? error
          case nil: failure = InputError("it was not encoded")
          }
        }
        return failure.map(Result.failure) ?? .success(encoded)
      }
    }
  }

  private struct Chunk {
    var tokens: Tokenization
    /// UTF-8 bytes of the text.
    var bytes: Range<Int>
  }

  private func chunks(
    of input: TokenizerInput, _ prompt: String, _ maxTokens: Int, _ overlap: Int
  ) -> Result<[Chunk], InputError> {
    guard case .single(let text) = input else {
      return .failure(InputError("it is a pair, and chunks are of single texts"))
    }
    do throws(TokenizerError) {
      let most = Self.maxChunks * min(maxTokens, encoder.configuration.positionCount)
      let whole = try tokenizer.tokenize(
        .single(prompt + text), maxTokens: most, truncation: .error, withSources: true)
      let (ids, sources) = (whole.sequence.ids, whole.sources)
      // The special tokens around the text are those without a source.
      let first = sources.firstIndex { $0 != nil } ?? sources.count
      let end = (sources.lastIndex { $0 != nil } ?? first - 1) + 1
      let promptBytes = prompt.utf8.count
      // A token may have no bytes: the prefix space of byte-level BPE.
      let start =
        sources[first..<end].firstIndex { source in
          source.map { $0.bytes.lowerBound >= promptBytes || $0.bytes.upperBound > promptBytes }
            ?? false
        } ?? end
      let room = maxTokens - (ids.count - end) - start
      guard room > 0 else {
        return .failure(
          InputError(
            "chunks of \(maxTokens) tokens have no room for text beside the special tokens and the "
              + "prompt: make them larger"))
      }
      guard 0...(room / 2) ~= overlap else {
        return .failure(
          InputError(
            "chunks of \(maxTokens) tokens have room for \(room) of the text, which may overlap by "
              + "half of that at most, not by \(overlap)"))
      }
      let step = room - overlap
      guard (end - start) / step < Self.maxChunks else { return .failure(Self.tooManyChunks) }
      var chunks: [Chunk] = []
      var place = start
      while true {
        let range = place..<min(place + room, end)
        func part<T>(_ values: [T]) -> [T] {
          Array(values[..<start] + values[range] + values[end...])
        }
        var bytes = 0..<text.utf8.count
        if let from = sources[range].first??.bytes, let to = sources[range].last??.bytes {
          // A token may begin in the prompt.
          let lower = max(0, from.lowerBound - promptBytes)
          bytes = lower..<max(lower, to.upperBound - promptBytes)
        }
        chunks.append(
          Chunk(
            tokens: Tokenization(
              sequence: TokenSequence(ids: part(ids), typeIDs: part(whole.sequence.typeIDs))),
            bytes: bytes))
        if range.upperBound == end { return .success(chunks) }
        place += step
      }
    } catch {
      if case .tooLong = error { return .failure(Self.tooManyChunks) }
      return .failure(InputError(error.description))
    }
  }

  private static let tooManyChunks = InputError(
    "it has more than \(maxChunks) chunks: split it, or make them larger")
}
