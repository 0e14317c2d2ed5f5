import OutputMap
import WordPiece

/// Parameters by name, each as it would stand in a query.
typealias GivenParameters = [String: [String]]

extension MapRequest {
  /// - Throws: `invalid` with the parameter, its value and what it takes.
  init(_ given: GivenParameters, keys: [OutputKey], for model: ServedModel) throws(ServiceError) {
    self.init(model, keys: keys)
    let shape = model.shape
    if let values = given["layers"] {
      layers = try Self.layers(values, of: shape)
      guard keys.contains(.encoderOutputs) else {
        throw .invalid("layers picks blocks of encoder_outputs; add output_key=encoder_outputs")
      }
    }
    if let text = try given.single("max_tokens") {
      maxTokens = try given.integer("max_tokens", text, in: 2...shape.positionCount)
    }
    switch try given.single("seq_length") {
    case nil:
      if model.padsRows, given["max_tokens"] == nil, !selection.blocks.isEmpty { makeRectangular() }
    case "longest": padding = .longest
    case let text?:
      guard text.first?.isNumber == true || text.first == "-" else {
        throw .invalid(
          "seq_length is 3 to \(shape.positionCount), or longest; it was '\(text)'")
      }
      let length = try given.integer("seq_length", text, in: 3...shape.positionCount)
      padding = .to(length)
      maxTokens = given["max_tokens"] == nil ? length : min(length, maxTokens)
    }
    truncation = try given.choice(
      "truncate", ["right": .right, "left": .left, "error": .error], default: .right)
    wantsTokens = try given.choice("tokens", ["true": true, "false": false], default: false)
    if let text = try given.single("timeout_ms") {
      timeout = .milliseconds(try given.integer("timeout_ms", text, in: 1...86_400_000))
    }
  }

  /// The keys that names ask for, several with commas; `default` where there are none.
  static func keys(
    _ values: [String], of shape: ServedModel.Shape
  ) throws(ServiceError) -> [OutputKey] {
    let names = values.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
    let known = shape.keys.map(\.rawValue).joined(separator: ", ")
    guard !names.isEmpty else {
      guard shape.hasPooler else {
        throw .invalid(
          "this model has no pooler, so no default entry; give an output_key of \(known)")
      }
      return [.default]
    }
    var keys: [OutputKey] = []
    for name in names {
      if name == "all" {
        for key in shape.keys where !keys.contains(key) { keys.append(key) }
        continue
      }
      guard let key = OutputKey(rawValue: String(name)) else {
        throw .invalid("there is no output_key '\(name)'; this model has \(known), or all")
      }
      guard shape.keys.contains(key) else {
        let part = key == .sentenceEmbedding ? "sentence-transformers modules" : "pooler"
        throw .invalid("this model has no \(part), so no '\(name)'; it has \(known)")
      }
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }

  /// `0,3,-1`, `2..5` (both ends included), in any mix; negative counts from the end.
  private static func layers(
    _ values: [String], of shape: ServedModel.Shape
  ) throws(ServiceError) -> [Int] {
    let count = shape.blockCount
    func index(_ text: Substring) throws(ServiceError) -> Int {
      guard let number = Int(text), (-count..<count).contains(number) else {
        throw .invalid(
          "layers takes block indices from \(-count) to \(count - 1), such as 0,3,-1 or 2..5; "
            + "it had '\(text)'")
      }
      return number < 0 ? number + count : number
    }
    var layers: [Int] = []
    for item in values.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      let ends = item.split(separator: ".", omittingEmptySubsequences: false)
      if ends.count == 3, ends[1].isEmpty {
        let (first, last) = (try index(ends[0]), try index(ends[2]))
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
    return layers
  }
}

extension GivenParameters {
  func single(_ name: String) throws(ServiceError) -> String? {
    guard let values = self[name] else { return nil }
    guard values.count == 1 else { throw .invalid("\(name) is given \(values.count) times") }
    return values[0]
  }

  func integer(
    _ name: String, _ text: String, in range: ClosedRange<Int>
  ) throws(ServiceError) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw .invalid(
        "\(name) is a whole number from \(range.lowerBound) to \(range.upperBound); "
          + "it was '\(text)'")
    }
    return number
  }

  func choice<Choice>(
    _ name: String, _ choices: KeyValuePairs<String, Choice>, default: Choice
  ) throws(ServiceError) -> Choice {
    guard let text = try single(name) else { return `default` }
    guard let choice = choices.first(where: { $0.key == text }) else {
      let list = choices.map(\.key).joined(separator: ", ")
      throw .invalid("\(name) is one of \(list); it was '\(text)'")
    }
    return choice.value
  }
}
