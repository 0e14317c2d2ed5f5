package import EncoderContract
package import JSON
package import Serving
import Tokenizers
import UntrustedInput

extension MapRequest {
  /// How texts become tokens, for protocols that pick entries of the map in their own way.
  package static let tokenParameters: [Documentation.Parameter] = [
    .init(
      name: "seq_length",
      meaning:
        "Pad and cut every text to that many positions, the expansion of a colbert query too, or pad "
        + "to the longest.",
      schema: ["anyOf": [["type": "integer", "minimum": 3], ["enum": ["longest"]]]]),
    .init(
      name: "max_tokens",
      meaning:
        "Most tokens of a text, special ones included. A colbert query is expanded after that.",
      schema: ["type": "integer", "minimum": 2]),
    .init(
      name: "truncate", meaning: "What happens to a text over the limit.",
      schema: ["enum": ["right", "left", "error"], "default": "right"]),
    .init(
      name: "input_type",
      meaning:
        "What the texts are. With sentence_embedding, sparse_embedding or colbert the folder's prompt "
        + "for that type goes before them. For colbert (default: document) it also chooses the token "
        + "limit, the expansion of queries, and which tokens are scored: others have zeros.",
      schema: ["enum": ["query", "document"]]),
    .init(
      name: "timeout_ms", meaning: "After that long 504, and the work is dropped.",
      schema: ["type": "integer", "minimum": 1, "maximum": 86_400_000]),
  ]
  package static let tokenNames = tokenParameters.map { RawText($0.name) }
}

extension MapRequest {
  /// - Throws: `invalid` with the parameter, its value and what it takes.
  package init(_ given: GivenParameters, keys: [OutputKey], for model: ServedModel)
    throws(ServiceError)
  {
    self.init(model, keys: keys)
    let info = model.info
    if let values = given["layers"] {
      layers = try Self.layers(values, of: info)
      guard keys.contains(.encoderOutputs) else {
        throw .invalid("layers picks blocks of encoder_outputs; add output_key=encoder_outputs")
      }
    }
    if given["input_type"] != nil {
      inputType = try given.choice(
        "input_type", ["query": InputType.query, "document": .document], default: .document)
    }
    if let text = try given.single("max_tokens") {
      maxTokens = try given.integer("max_tokens", text, in: 2...info.positionCount)
    }
    switch try given.single("seq_length") {
    case nil:
      if model.padsRows, given["max_tokens"] == nil, selection.hasTokenRows { makeRectangular() }
    case "longest": padding = .longest
    case let text?:
      guard let length = text.integer?.within(3...info.positionCount) else {
        throw .invalid(
          "seq_length is 3 to \(info.positionCount), or longest; it was '\(text)'")
      }
      padding = .to(length)
      maxTokens = given["max_tokens"] == nil ? length : min(length, maxTokens)
    }
    truncation = try given.choice(
      "truncate", ["right": .right, "left": .left, "error": .error], default: .right)
    wantsTokens = try given.choice("tokens", ["true": true, "false": false], default: false)
    timeout = try Self.timeout(given)
  }

  /// Put before every text: the prompt for the input type of a `colbert`, and the default prompt, or that
  /// for the input type, of a `sentence_embedding` and a `sparse_embedding`. Nil for none.
  ///
  /// - Throws: `unprocessable` if the folder has a prompt that is not supported.
  func prompt() throws(ServiceError) -> String? {
    guard usesDefaultPrompt else { return nil }
    if let prompt = colbert?.prompt { return prompt.isEmpty ? nil : prompt }
    guard keys.contains(.sentenceEmbedding) || keys.contains(.sparseEmbedding) else { return nil }
    guard let inputType else { return model.sentence?.defaultPrompt }
    return try model.prompt(forInput: RawText(inputType.rawValue))
  }

  /// Known before the body is read, whose reading it limits too.
  package static func timeout(_ given: GivenParameters) throws(ServiceError) -> Duration? {
    guard let text = try given.single("timeout_ms") else { return nil }
    return .milliseconds(try given.integer("timeout_ms", text, in: 1...86_400_000))
  }

  /// The keys that names ask for, several with commas; `default` where there are none.
  package static func keys(
    _ values: [RawText], of info: ModelInfo
  ) throws(ServiceError) -> [OutputKey] {
    let known = info.keys.map(\.rawValue).joined(separator: ", ")
    guard !values.isEmpty else {
      guard info.has(.default) else {
        throw .invalid("this model has no default entry; give an output_key of \(known)")
      }
      return [.default]
    }
    var keys: [OutputKey] = []
    try values.forEachListItem("output_key", limit: maxListItems) { name throws(ServiceError) in
      if name == "all" {
        for key in info.usualKeys where !keys.contains(key) { keys.append(key) }
        return
      }
      guard let key = OutputKey(name) else {
        throw .invalid("there is no output_key '\(name)'; this model has \(known), or all")
      }
      guard info.has(key) else {
        throw .invalid("there is no '\(name)': \(info.absence(of: key)); there is \(known)")
      }
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }

  /// `0,3,-1`, `2..5` (both ends included), in any mix; negative counts from the end.
  private static func layers(
    _ values: [RawText], of info: ModelInfo
  ) throws(ServiceError) -> [Int] {
    let count = info.blockCount
    func index(_ text: RawText) throws(ServiceError) -> Int {
      guard let number = text.integer?.within(-count..<count) else {
        throw .invalid(
          "layers takes block indices from \(-count) to \(count - 1), such as 0,3,-1 or 2..5; "
            + "it had '\(text)'")
      }
      return number < 0 ? number + count : number
    }
    var layers: [Int] = []
    try values.forEachListItem("layers", limit: maxListItems) { item throws(ServiceError) in
      let ends = item.utf8.split(
        separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
      if ends.count == 3, ends[1].isEmpty {
        let (first, last) = (
          try index(RawText(Substring(ends[0]))), try index(RawText(Substring(ends[2])))
        )
        guard first <= last else {
          throw .invalid("layers has '\(item)': the first block comes after the last")
        }
        layers += first...last
      } else {
        layers.append(try index(item))
      }
      guard layers.count <= 4 * count else {
        throw .invalid("layers names more than \(4 * count) blocks")
      }
    }
    guard !layers.isEmpty else {
      throw .invalid("layers is an empty list; name a block, or leave layers out for all of them")
    }
    return layers
  }
}

extension MapRequest {
  /// Items of a parameter that is a list: more than any model has entries or blocks.
  private static let maxListItems = 1024
}

extension OutputKey {
  package init?(_ name: RawText) {
    guard let key = Self.allCases.first(where: { RawText($0.rawValue) == name }) else {
      return nil
    }
    self = key
  }
}

extension [RawText] {
  /// Calls `body` with each item of values that are lists with commas. Items are made one by one, so
  /// that what is refused costs no more than what came before it.
  fileprivate func forEachListItem(
    _ name: String, limit: Int, _ body: (RawText) throws(ServiceError) -> Void
  ) throws(ServiceError) {
    var count = 0
    for value in self {
      var rest = value.utf8[...]
      while true {
        count += 1
        guard count <= limit else { throw .invalid("\(name) has more than \(limit) items") }
        let end = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
        try body(RawText(Substring(rest[..<end])))
        if end == rest.endIndex { break }
        rest = rest[rest.index(after: end)...]
      }
    }
  }
}
