import ArgumentParser
import BERT
import Bench
import Checkpoints
import EncoderContract
import Models
import Tokenizers

/// What a model folder holds, or why it is refused.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Describes a model folder; exits with 1 if it cannot be served.")

  @Argument(help: "Model folder.")
  var folder: String

  @OptionGroup var letterCase: LetterCaseFlag

  func run() throws {
    do {
      let model = try ModelFiles(folder, lowercases: letterCase.value.lowercases)
      let configuration = model.checkpoint.configuration
      // What is not served is refused here for the same reason.
      let encoder = try Encoder(
        model.checkpoint, sentence: model.sentenceModules, threads: ComputeThreads(count: 1),
        maxBatchRows: 1)
      let info = encoder.info
      let tokenizer = try model.tokenizer()
      line(
        "format",
        "\(model.checkpoint.format.title): \(model.checkpoint.files.joined(separator: ", "))")
      if let part = model.checkpoint.part {
        line("part", "the encoder in \(part) of a larger model")
      }
      line("output keys", info.keys.map(\.rawValue).joined(separator: ", "))
      line("model type", configuration.modelType)
      let sets = configuration.blockSetCount
      line(
        "blocks",
        "\(configuration.blockCount)"
          + (sets == configuration.blockCount
            ? "" : ", with \(sets) set\(sets == 1 ? "" : "s") of weights"))
      line("hidden size", "\(configuration.hiddenSize)")
      if let size = configuration.projectedSize {
        line("embedding size", "\(size), then a layer to \(configuration.hiddenSize)")
      }
      let shared = configuration.keyValueHeadCount
      line(
        "attention heads",
        "\(configuration.headCount) of \(configuration.headSize)"
          + (shared == configuration.headCount ? "" : ", sharing \(shared) of keys and values"))
      for row in Self.attention(configuration) { line(row.name, row.value) }
      if let bias = configuration.relativeBias {
        line(
          "attention bias", "by head and distance, \(bias.bucketCount) buckets, one for all blocks")
      }
      if configuration.hasLinearBias {
        line(
          "attention bias",
          "minus the distance times a slope of each head (ALiBi), one for all blocks")
      }
      if let disentangled = configuration.disentangled {
        line("attention scores", Self.summary(disentangled))
      }
      if let convolution = configuration.convolution {
        line(
          "convolution",
          "of \(convolution.size) tokens beside the first block, "
            + (convolution.activation?.rawValue ?? "tanh"))
      }
      if configuration.mixesHeads {
        line("attention scores", "mixed over heads before softmax, and after it (talking heads)")
      }
      line(
        "feed-forward size",
        "\(configuration.intermediateSize)\(configuration.isGated ? ", gated" : "")")
      line("activation", configuration.activation.rawValue)
      line(
        "norms",
        (configuration.isPreNorm ? "pre-norm" : "post-norm")
          + (configuration.isRootMeanSquareNorm ? ", root mean square (RMSNorm)" : "")
          + (configuration.hasSecondAttentionResidual
            ? ", second norm with residual after attention" : "")
          + (configuration.normsQueriesAndKeys
            ? ", of queries and of keys over all heads" : ""))
      line("norm epsilon", "\(configuration.layerNormEpsilon)")
      if configuration.biases != .all {
        line("biases", Self.names(configuration.biases))
      }
      line(
        "positions",
        "\(configuration.positionCount)"
          + (configuration.hasPaddingPosition
            ? ", and one for padding, token \(configuration.padTokenID)" : ""))
      line("vocabulary", "\(tokenizer.vocabulary.count) tokens")
      line(
        "tokenizer",
        "\(tokenizer.summary), "
          + (model.tokenizerRules == .tensorFlow ? "TensorFlow Text's" : "Hugging Face's")
          + " rules, "
          + (tokenizer.lowercases ? "uncased" : "cased"))
      let inputs = try model.colbertInputs(tokenizer, model.sentenceModules)
      for type in InputType.allCases {
        if let input = inputs[type] { line("colbert \(type.rawValue)", Self.summary(of: input)) }
      }
      for note in model.notes(tokenizer) { line(note.name, note.value) }
      let others = try Encoder.Precision.allCases.filter { $0 != .float32 }.map {
        try Encoder(
          model.checkpoint, sentence: model.sentenceModules, threads: ComputeThreads(count: 1),
          precision: $0, maxBatchRows: 1)
      }
      line(
        "precisions",
        ([encoder] + others).map(Self.precision(of:)).joined(separator: ", ")
          + "; speed and error: bert-server bench --compare-precisions --model \(folder)")
      line("tokens of a text", "at most \(model.maxTokens)")
      line(
        "pooler", info.has(.pooledOutput) ? "yes" : "no: neither default nor pooled_output")
      line(
        "sentence embedding",
        model.sentenceModules?.summary ?? "no: there is no modules.json")
      if let head = model.checkpoint.maskedLM.head {
        line("masked-LM head", head.summary)
      } else {
        let head = model.checkpoint.head
        line("head", head.head?.summary ?? "no: \(head.absence)")
      }
      if !info.labels.isEmpty { line("labels", info.labels.prefix(100).joined(separator: ", ")) }
      if let modules = model.sentenceModules, let prompt = modules.defaultPrompt {
        line("default prompt", "\(modules.defaultPromptName ?? ""): \(prompt)")
      }
    } catch {
      printError("\(folder) is refused: \(error)")
      throw ExitCode(1)
    }
  }

  /// "int8 (kernels avx2, 33.1 MB)".
  private static func precision(of encoder: Encoder) -> String {
    "\(encoder.precision.rawValue) (kernels \(encoder.kernelSet), \(encoder.weightMegabytes) MB)"
  }

  /// What differs from plain attention.
  private static func attention(
    _ configuration: ModelConfiguration
  ) -> [(name: String, value: String)] {
    let blocks = configuration.blockAttention
    var rows: [(name: String, value: String)] = []
    let bases = Set(blocks.compactMap { $0.rotary?.theta }).sorted(by: >)
    if !bases.isEmpty {
      let scaling = blocks[0].rotary.map(\.scaling) ?? 1
      rows.append(
        (
          "position embedding",
          "rotary, base \(bases.map { "\($0)" }.joined(separator: " and "))"
            + (scaling == 1 ? "" : ", NTK scaling \(scaling)")
        ))
    }
    for window in Set(blocks.compactMap(\.window)).sorted() {
      let count = blocks.count { $0.window == window }
      rows.append(
        (
          "attention window",
          "window of \(2 * window - 1) tokens in \(count) of \(blocks.count) blocks"
        ))
    }
    return rows
  }

  /// "at most 32 tokens, expanded to 32 with token 103, not attended to, prompt "[Q] "".
  private static func summary(of input: ColBERTInput) -> String {
    var parts = ["at most \(input.maxTokens) tokens"]
    if let expansion = input.expansion {
      parts.append(
        "expanded to \(expansion.length) with token \(expansion.token)"
          + (expansion.isAttended ? "" : ", not attended to"))
    }
    if let prompt = input.prompt, !prompt.isEmpty { parts.append("prompt \"\(prompt)\"") }
    if !input.scored.skipped.isEmpty {
      parts.append("\(input.scored.skipped.count) skipped tokens")
    }
    return parts.joined(separator: ", ")
  }

  private static func summary(_ disentangled: DisentangledAttention) -> String {
    let terms = [
      (disentangled.hasKeys, "content to position"),
      (disentangled.hasQueries, "position to content"),
    ].filter(\.0).map(\.1)
    return "disentangled: \(terms.joined(separator: " and ")), \(disentangled.rowCount) rows"
      + (disentangled.maxDistance.map { ", logarithmic buckets up to distance \($0)" } ?? "")
      + (disentangled.sharesLayers ? "" : ", projections of their own")
  }

  private static func names(_ biases: ModelConfiguration.Biases) -> String {
    let kinds: [(ModelConfiguration.Biases, String)] = [
      (.queryKeyValue, "queries, keys and values"), (.attentionOutput, "attention's output"),
      (.intermediate, "feed-forward, inner"), (.output, "feed-forward, outer"), (.norms, "norms"),
    ]
    let names = kinds.filter { biases.contains($0.0) }.map(\.1)
    return names.isEmpty ? "no biases" : "biases only in " + names.joined(separator: "; ")
  }

  private func line(_ name: String, _ value: String) {
    // A folder's words may not write on the terminal, nor lines of their own.
    var shown = ""
    for scalar in value.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control
      shown += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    print("\(name):" + String(repeating: " ", count: max(1, 20 - name.count)) + shown)
  }
}

extension Checkpoint.Format {
  fileprivate var title: String {
    switch self {
    case .huggingFace: "Hugging Face"
    case .savedModel: "TensorFlow SavedModel"
    case .original: "original BERT checkpoint"
    }
  }
}
