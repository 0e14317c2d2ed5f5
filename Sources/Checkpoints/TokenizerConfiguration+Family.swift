import JSON

extension TokenizerConfiguration {
  /// Classes of tokenizers that transformers makes of a folder in one way.
  public enum Family: Sendable {
    /// WordPiece after BERT's own steps, whose options `tokenizer_config.json` has.
    case bert
    /// The same with RoBERTa's tokens round a text.
    case mpnet
    /// Byte-level BPE, whose options `tokenizer_config.json` has.
    case roberta
    /// Unigram after white space, of which `tokenizer.json` has vocabulary and normaliser.
    case xlmRoberta
    /// The same with tokens of its own before those of a SentencePiece model.
    case camembert
    /// The same with ALBERT's normalizers, whose options `tokenizer_config.json` has.
    case albert
    /// Unigram after DeBERTa's own steps, whose options `tokenizer_config.json` has.
    case deberta
    /// What `tokenizer.json` says.
    case other

    /// The SentencePiece model that its class reads where there is no `tokenizer.json`.
    var sentencePieceName: String? {
      switch self {
      case .albert: "spiece.model"
      case .xlmRoberta, .camembert: "sentencepiece.bpe.model"
      case .deberta: "spm.model"
      default: nil
      }
    }
  }
}

extension TokenizerConfiguration {
  /// The class of tokenizer that one of the two files names, else the model's own.
  ///
  /// - Throws: for classes that cut text in ways that no `tokenizer.json` tells.
  static func family(
    _ file: JSONFile?, _ model: JSONFile?, in folder: String
  ) throws(CheckpointError) -> Family {
    let hasTokenizer = Folder.hasFile("tokenizer.json", in: folder)
    func canRead(_ family: Family) -> Bool {
      hasTokenizer || family.sentencePieceName.map { Folder.hasFile($0, in: folder) } == true
    }
    for key in ["word_tokenizer_type", "subword_tokenizer_type"] {
      guard let file, let kind = try file.string(key) else { continue }
      throw .unsupported(
        path: file.path,
        reason: "\(key) \"\(kind.prefix(64))\": the tokenizers that cut Japanese words are not "
          + "supported")
    }
    var named: (name: String, path: String)?
    for file in [file, model].compactMap(\.self) where named == nil {
      if let name = try file.string("tokenizer_class") { named = (name, file.path) }
    }
    guard let (given, path) = named else {
      switch try model?.string("model_type") ?? "bert" {
      case "bert", "distilbert", "electra": return .bert
      case "mpnet": return .mpnet
      case "roberta": return .roberta
      case "xlm-roberta" where canRead(.xlmRoberta): return .xlmRoberta
      case "camembert" where canRead(.camembert): return .camembert
      case "albert" where canRead(.albert): return .albert
      case "deberta-v2" where canRead(.deberta): return .deberta
      case _ where hasTokenizer: return .other
      case let type:
        throw .unsupported(
          path: model?.path ?? "",
          reason: "model_type \"\(type.prefix(64))\" needs a tokenizer.json, which is not there: "
            + toConvert)
      }
    }
    let name = given.hasSuffix("Fast") ? String(given.dropLast(4)) : given
    if ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"].contains(name) { return .bert }
    if name == "MPNetTokenizer" { return .mpnet }
    if name == "RobertaTokenizer" { return .roberta }
    // Those without a tokenizer.json of their own in transformers.
    let others = [
      "BertJapanese", "Bertweet", "Phobert", "BertGeneration", "RoCBert", "RoFormer", "Flaubert",
      "XLM", "Canine", "ByT5", "Tapas", "Esm", "ProphetNet", "Luke", "MLuke", "BartPho",
    ]
    guard !others.contains(where: { $0 + "Tokenizer" == name }) else {
      throw .unsupported(
        path: path,
        reason: "tokenizer_class \"\(name)\" is not supported: it cuts words with code of its own; "
          + "serve the model with transformers, or give one with a tokenizer.json")
    }
    let classes: [String: Family] = [
      "XLMRobertaTokenizer": .xlmRoberta, "CamembertTokenizer": .camembert,
      "AlbertTokenizer": .albert, "DebertaV2Tokenizer": .deberta,
    ]
    if let family = classes[name], canRead(family) { return family }
    guard hasTokenizer else {
      throw .unsupported(
        path: path,
        reason: "tokenizer_class \"\(given.prefix(64))\" is supported only with a tokenizer.json: "
          + toConvert)
    }
    guard ["PreTrainedTokenizer", "TokenizersBackend"].contains(name) else {
      throw .unsupported(
        path: path,
        reason: "tokenizer_class \"\(name.prefix(64))\" makes steps of its own, and libraries "
          + "differ in whether these or tokenizer.json count. If the tokenizer.json is right, write "
          + "\"PreTrainedTokenizerFast\"")
    }
    return .other
  }
}
