/// A SentencePiece model: `spiece.model`, `sentencepiece.bpe.model`, `spm.model`. Its pieces, and what its
/// normaliser makes of characters.
///
/// Source: sentencepiece, `sentencepiece_model.proto`.
public struct SentencePieceFile: Sendable {
  /// What makes tokens with the model: it honours some options, and the others are refused.
  public enum Reader: Sendable {
    /// transformers' classes, or one that takes the pieces alone.
    case transformers, transformersPiecesAlone
    /// TensorFlow Text, which runs SentencePiece itself.
    case tensorFlow

    fileprivate var checksOptions: Bool { self != .transformersPiecesAlone }

    /// The last kind of piece that is known.
    fileprivate var lastKind: Piece.Kind {
      switch self {
      case .transformers: .userDefined
      case .transformersPiecesAlone: .byte
      case .tensorFlow: .unused
      }
    }

    /// Why an option is refused, and what to do.
    fileprivate var refusal: String {
      switch self {
      case .transformers, .transformersPiecesAlone:
        "SentencePiece and transformers make different tokens of it. Give a tokenizer.json if "
          + "transformers is right: \(TokenizerConfiguration.toConvert)"
      case .tensorFlow:
        "that is not supported in a SavedModel: give the model as transformers has it, with a "
          + "tokenizer.json"
      }
    }
  }

  public struct Piece: Equatable, Sendable {
    public enum Kind: Int, Sendable {
      case normal = 1
      case unknown = 2
      case control = 3
      case userDefined = 4
      case unused = 5
      case byte = 6
    }

    public var text: String
    /// The logarithm of its probability.
    public var score: Float
    public var kind: Kind
  }

  public let path: String
  /// By id; the unknown piece is one of them.
  public private(set) var pieces: [Piece] = []
  /// `precompiled_charsmap`; empty if characters stay what they are.
  public private(set) var characterMap: [UInt8] = []
  /// `unk_id`; nil if it is below 0 or beyond what a model can have.
  public private(set) var unknownID: Int?

  /// The largest published ones have 5 MB and 250,000 pieces.
  static let maximumSize = 64 << 20
  private static let maximumPieceCount = 1 << 20

  public init(path: String, for reader: Reader = .transformers) throws(CheckpointError) {
    let file = try ModelFile(path: path)
    guard file.size <= Self.maximumSize else {
      throw .file(path: path, reason: "takes more than \(Self.maximumSize) bytes")
    }
    try self.init(file.bytes(), for: reader)
  }

  init(_ file: FileBytes, for reader: Reader = .transformers) throws(CheckpointError) {
    path = file.path
    // ModelProto.normalizer_spec, precompiled_charsmap
    try ProtobufMessage.forEach([3, 2], in: file, file.range) { characterMap = Array(file[$0]) }
    for message in [2, 3] {
      let numbers = try Self.numbers(of: message, file)
      try Self.checkOptions(of: message, numbers, file, reader)
      // ModelProto.trainer_spec, unk_id
      if message == 2 { unknownID = (numbers[40] ?? 0).count(upTo: Self.maximumPieceCount) }
    }
    // ModelProto.pieces
    try ProtobufMessage.forEach([1], in: file, file.range) { (range) throws(CheckpointError) in
      guard pieces.count < Self.maximumPieceCount else {
        throw ByteReader(file, range).malformed("more than \(Self.maximumPieceCount) pieces")
      }
      pieces.append(try Self.piece(file, range, reader))
    }
    guard pieces.count(where: { $0.kind == .unknown }) == 1 else {
      throw .unsupported(
        path: path, reason: "must have one piece for what is unknown; is it a SentencePiece model?")
    }
  }

  private static func piece(
    _ file: FileBytes, _ range: Range<Int>, _ reader: Reader
  ) throws(CheckpointError) -> Piece {
    var (text, score, kind): (String, Float, FileNumber) = ("", 0, 1)
    var message = ProtobufMessage(file, range)
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let inner)):
        guard let valid = file.string(inner) else {
          throw message.reader.malformed("a piece that is not UTF-8", at: field.position)
        }
        text = valid
      case (2, .number(let value)):
        score = Float(bitPattern: UInt32(truncatingIfNeeded: value.bits))
      case (3, .number(let value)): kind = value
      default: break
      }
    }
    guard score.isFinite, !text.isEmpty else {
      throw message.reader.malformed(
        "a piece must have a text and a finite score", at: range.lowerBound)
    }
    guard let kind = kind.count(upTo: 6).flatMap(Piece.Kind.init) else {
      throw message.reader.malformed(
        "the piece \"\(text.prefix(64))\" has the type \(kind), must have 1 to 6",
        at: range.lowerBound)
    }
    guard kind.rawValue <= reader.lastKind.rawValue else {
      let what = kind == .byte ? "of a byte (byte_fallback)" : "unused"
      throw .unsupported(
        path: file.path,
        reason: "the piece \"\(text.prefix(64))\" is \(what): \(reader.refusal)")
    }
    return Piece(text: text, score: score, kind: kind)
  }

  /// A number or boolean of the model, and the value that all libraries read alike.
  private struct Option {
    /// Of the message in `ModelProto`, and of the option in that.
    var place: (message: Int, field: Int)
    var name: String
    /// Also the default.
    var value: FileNumber
  }

  /// The numbers of a message by their fields.
  ///
  /// - Parameter message: its number in `ModelProto`.
  private static func numbers(
    of message: Int, _ file: FileBytes
  ) throws(CheckpointError) -> [Int: FileNumber] {
    var numbers: [Int: FileNumber] = [:]
    try ProtobufMessage.forEach([message], in: file, file.range) {
      (range) throws(CheckpointError) in
      var fields = ProtobufMessage(file, range)
      while let field = try fields.next() {
        if case .number(let number) = field.value { numbers[field.number] = number }
      }
    }
    return numbers
  }

  private static func checkOptions(
    of message: Int, _ numbers: [Int: FileNumber], _ file: FileBytes, _ reader: Reader
  ) throws(CheckpointError) {
    for option in options where option.place.message == message {
      guard reader.checksOptions || option.name == "model_type",
        let found = numbers[option.place.field],
        found != option.value
      else { continue }
      guard option.name == "model_type" else {
        throw .unsupported(
          path: file.path,
          reason: "has \(option.name) \(found), must be \(option.value): \(reader.refusal)")
      }
      let kinds = [2: "BPE", 3: "words", 4: "characters"]
      let kind = found.count(upTo: 4).flatMap { kinds[$0] } ?? "\(found)"
      throw .unsupported(
        path: file.path,
        reason: "is a model of \(kind) (model_type), which is not supported; Unigram is")
    }
  }

  private static let options = [
    // ModelProto.trainer_spec
    Option(place: (2, 3), name: "model_type", value: 1),
    Option(place: (2, 24), name: "treat_whitespace_as_suffix", value: 0),
    Option(place: (2, 35), name: "byte_fallback", value: 0),
    // ModelProto.normalizer_spec
    Option(place: (3, 3), name: "add_dummy_prefix", value: 1),
    Option(place: (3, 4), name: "remove_extra_whitespaces", value: 1),
    Option(place: (3, 5), name: "escape_whitespaces", value: 1),
  ]
}
