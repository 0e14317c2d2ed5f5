/// What sentence-transformers does after the encoder: pooling over tokens, perhaps normalising.
///
/// Source: sentence-transformers `models/Pooling.py`, `models/Normalize.py`, and the
/// files that `SentenceTransformer.save` writes.
public struct SentenceModules: Equatable, Sendable {
  /// How a text's token vectors become one. Padding never counts.
  public enum Pooling: String, CaseIterable, Sendable {
    /// The first token's vector.
    case cls
    case mean
    /// The largest of each component.
    case max
    /// The sum, divided by the square root of the number of tokens.
    case meanSqrtLength
    /// The mean, the i-th token (from 1) weighted by i.
    case weightedMean
    case lastToken
  }

  public var pooling: Pooling
  /// Whether the result is divided by its Euclidean length.
  public var normalizes: Bool
  /// The text is cut to this many tokens, special ones included; nil if the folder does not say.
  public var maximumSequenceLength: Int?
  /// Whether `sentence_bert_config.json` asks for lower-casing before tokenization.
  public var lowercases: Bool
  /// Texts to put before the input, by the name that asks for them ("query", "passage").
  public var prompts: [String: String]
  public var defaultPromptName: String?
}

extension SentenceModules {
  /// What a folder says about sentence embeddings.
  public enum Support: Equatable, Sendable {
    /// There is no `modules.json`: a plain model.
    case absent
    /// The folder has modules that are not computed; the rest of the model works.
    case unsupported(reason: String)
    case supported(SentenceModules)
  }

  /// Reads `modules.json` and what it names.
  ///
  /// - Throws: if a file is there and is malformed.
  public static func read(folder: String) throws(CheckpointError) -> Support {
    guard Folder.hasFile("modules.json", in: folder) else { return .absent }
    var pooling: Pooling?
    var normalizes = false
    let modules = try JSONFile.array(path: Folder.path("modules.json", in: folder))
    for (index, module) in modules.enumerated() {
      let type = try module.string("type") ?? ""
      // "sentence_transformers.models.Pooling"; newer releases put more between the dots.
      let isKnownLibrary = type.hasPrefix("sentence_transformers.")
      switch type.split(separator: ".").last {
      case "Transformer" where isKnownLibrary && index == 0:
        guard try module.string("path") ?? "" == "" else {
          return .unsupported(reason: "modules.json: the Transformer is in a folder of its own")
        }
      case "Pooling" where isKnownLibrary && index > 0 && pooling == nil && !normalizes:
        let path = try module.string("path") ?? ""
        guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
          throw module.invalid("path", "must stay inside the folder")
        }
        let file = try JSONFile(path: Folder.path("\(path)/config.json", in: folder))
        switch try readPooling(file) {
        case .success(let value): pooling = value
        case .failure(let unsupported): return .unsupported(reason: unsupported.reason)
        }
      case "Normalize" where isKnownLibrary && pooling != nil:
        normalizes = true
      default:
        return .unsupported(
          reason: "modules.json: module \(index), \"\(type)\", is not supported there")
      }
    }
    guard let pooling else {
      return .unsupported(reason: "modules.json: there is no Pooling module")
    }
    var result = SentenceModules(
      pooling: pooling, normalizes: normalizes, lowercases: false, prompts: [:])
    try result.readSettings(folder)
    return .supported(result)
  }

  private struct Unsupported: Error {
    var reason: String
  }

  private static func readPooling(
    _ file: JSONFile
  ) throws(CheckpointError) -> Result<Pooling, Unsupported> {
    // Releases from 5.2 on write one name, those before one flag per way.
    let names: [String: Pooling] = [
      "cls": .cls, "mean": .mean, "max": .max, "mean_sqrt_len_tokens": .meanSqrtLength,
      "weightedmean": .weightedMean, "lasttoken": .lastToken,
    ]
    let flags: KeyValuePairs<String, Pooling> = [
      "pooling_mode_cls_token": .cls, "pooling_mode_mean_tokens": .mean,
      "pooling_mode_max_tokens": .max, "pooling_mode_mean_sqrt_len_tokens": .meanSqrtLength,
      "pooling_mode_weightedmean_tokens": .weightedMean, "pooling_mode_lasttoken": .lastToken,
    ]
    if let name = try file.string("pooling_mode") {
      guard let pooling = names[name] else {
        return .failure(Unsupported(reason: "\(file.path): pooling_mode \"\(name)\" is not known"))
      }
      return .success(pooling)
    }
    var chosen: [Pooling] = []
    for (flag, pooling) in flags where try file.boolean(flag) == true { chosen.append(pooling) }
    guard let pooling = chosen.first, chosen.count == 1 else {
      return .failure(
        Unsupported(
          reason: "\(file.path): \(chosen.count) ways of pooling are chosen, one is supported"))
    }
    return .success(pooling)
  }

  private mutating func readSettings(_ folder: String) throws(CheckpointError) {
    let name = "sentence_bert_config.json"
    if Folder.hasFile(name, in: folder) {
      let file = try JSONFile(path: Folder.path(name, in: folder))
      maximumSequenceLength = try file.integer("max_seq_length", in: 1...(1 << 20))
      lowercases = try file.boolean("do_lower_case") ?? false
    }
    let promptsName = "config_sentence_transformers.json"
    if Folder.hasFile(promptsName, in: folder) {
      let file = try JSONFile(path: Folder.path(promptsName, in: folder))
      defaultPromptName = try file.string("default_prompt_name")
      if case .object(let values) = file["prompts"] {
        prompts = values.compactMapValues { value in
          if case .string(let text) = value { text } else { nil }
        }
      }
    }
  }
}
