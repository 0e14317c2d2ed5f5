import CKernels
import Checkpoints
import EncoderContract

extension Pass {
  /// Takes a block's output for a sequence that asks for it and goes on to the next block.
  func collectBlock(_ block: Int, _ entry: PassPlan.Entry, _ thread: ThreadState) {
    guard entry.selection.blocks.contains(block) else { return }
    let isLast = block == shape.configuration.blockCount - 1
    let hidden = unsafe hidden(before: block + 1, thread)
    let values = unsafe copy(
      rows: entry.rows.count, of: hidden.row(entry.rows.lowerBound), hidden.stride,
      as: isLast ? .sequenceOutput : .encoderOutputs, entry)
    updateResult(of: entry.sequence) { $0.blocks[block] = values }
  }

  /// Takes everything that a sequence asks for of its deepest block.
  func collect(_ index: Int, _ thread: ThreadState) {
    let entry = plan.entries[index]
    if entry.depth > 0, !entry.isFirstRowOnly { collectBlock(entry.depth - 1, entry, thread) }
    if let place = entry.pooledPlace {
      let pooled = unsafe thread.lead.pooled
      if shape.configuration.normalizesPooled {
        unsafe normalizeLength(shape.configuration.hiddenSize, pooled.row(place))
      }
      if entry.selection.contains(.pooledOutput) {
        let values = unsafe copy(
          rows: 1, of: pooled.row(place), pooled.stride, as: .pooledOutput, entry)
        updateResult(of: entry.sequence) { $0[.pooledOutput] = values }
      }
    }
    if entry.selection.contains(.sentenceEmbedding) {
      let values = embedSentence(entry, thread)
      updateResult(of: entry.sequence) { $0[.sentenceEmbedding] = values }
    }
    if entry.selection.contains(.colbert), let projection = shape.projection {
      let values = tokenVectors(entry, projection, thread)
      updateResult(of: entry.sequence) { $0[.colbert] = values }
    }
    if entry.selection.contains(.sparseEmbedding), let weights = shape.sentence?.tokenWeights {
      let values = weigh(entry, weights, thread)
      updateResult(of: entry.sequence) { $0[.sparseEmbedding] = values }
    }
    maskedLMRows?.collect(entry, in: self)
    if let classifier = shape.classifier { classify(entry, classifier, thread) }
  }

  /// The entries of a classification head that a sequence asks for.
  private func classify(
    _ entry: PassPlan.Entry, _ classifier: Classifier, _ thread: ThreadState
  ) {
    let key = classifier.input == .eachToken ? OutputKey.tokenLogits : .logits
    let selection = entry.selection
    guard selection.contains(key) || selection.contains(.probabilities) else { return }
    let hidden = unsafe hidden(before: entry.depth, thread)
    let columns = shape.configuration.hiddenSize
    var logits: [Float] = []
    switch classifier.input {
    case .pooled:
      guard let place = entry.pooledPlace else { return }
      unsafe logits = classifier.logits(of: thread.lead.pooled.row(place), columns)
    case .firstToken: unsafe logits = classifier.logits(of: hidden.row(entry.resultRow), columns)
    case .meanOfTokens:
      let mean = unsafe [Float](unsafeUninitializedCapacity: columns) { values, count in
        unsafe poolRows(
          PoolingMean, entry.attendedCount, columns, hidden.row(entry.resultRow), hidden.stride,
          values.baseAddress!)
        count = columns
      }
      unsafe logits = mean.withUnsafeBufferPointer { values in
        unsafe classifier.logits(of: values.baseAddress!, columns)
      }
    case .eachToken:
      logits.reserveCapacity(entry.rows.count * classifier.labelCount)
      for row in 0..<entry.rows.count {
        unsafe logits += classifier.logits(of: hidden.row(entry.resultRow + row), columns)
      }
    }
    let isFinite = logits.allSatisfy(\.isFinite)
    updateResult(of: entry.sequence) { result in
      if !isFinite { result.failure = .notFinite(key: key) }
      if selection.contains(key) { result[key] = logits }
      if selection.contains(.probabilities) {
        result[.probabilities] = classifier.scoreFunction?.probabilities(of: logits) ?? []
      }
    }
  }

  /// Pooling over the attended rows, and the layers after it, as the folder's modules say.
  private func embedSentence(_ entry: PassPlan.Entry, _ thread: ThreadState) -> [Float] {
    guard let modules = shape.sentence else { return [] }
    let hidden = unsafe hidden(before: entry.depth, thread)
    let first = unsafe hidden.row(entry.resultRow)
    let columns = shape.configuration.hiddenSize
    let size = columns * modules.poolings.count
    let pooled = unsafe [Float](unsafeUninitializedCapacity: size) { values, count in
      for (index, pooling) in modules.poolings.enumerated() {
        let place = unsafe values.baseAddress! + index * columns
        func pool(_ kind: PoolingKind) {
          unsafe poolRows(kind, entry.attendedCount, columns, first, hidden.stride, place)
        }
        switch pooling {
        case .cls: unsafe place.initialize(from: first, count: columns)
        case .lastToken:
          unsafe place.initialize(
            from: hidden.row(entry.resultRow + entry.attendedCount - 1), count: columns)
        case .mean: pool(PoolingMean)
        case .max: pool(PoolingMax)
        case .meanSqrtLength: pool(PoolingMeanSqrtLength)
        case .weightedMean: pool(PoolingWeightedMean)
        }
      }
      count = size
    }
    let embedding = modules.embedding(
      of: pooled, normalizing: entry.selection.normalizesSentence)
    return unsafe embedding.withUnsafeBufferPointer { values in
      unsafe copy(
        rows: 1, of: values.baseAddress!, values.count, as: .sentenceEmbedding, entry,
        values.count)
    }
  }

  /// A vector a token; zeros for tokens that are not scored.
  private func tokenVectors(
    _ entry: PassPlan.Entry, _ projection: TokenProjection, _ thread: ThreadState
  ) -> [Float] {
    let hidden = unsafe hidden(before: entry.depth, thread)
    var values = unsafe projection.vectors(
      rows: entry.rows.count, of: hidden.row(entry.resultRow), hidden.stride)
    let (size, scored) = (projection.outputs, entry.selection.scored)
    var isFinite = true
    for (row, id) in plan.ids[entry.rows].enumerated() {
      let range = row * size..<(row + 1) * size
      if scored.contains(id, at: row, isAttended: row < entry.attendedCount) {
        isFinite = isFinite && values[range].allSatisfy(\.isFinite)
      } else {
        for place in range { values[place] = 0 }
      }
    }
    if !isFinite {
      updateResult(of: entry.sequence) { $0.failure = .notFinite(key: .colbert) }
    }
    return values
  }

  /// The largest weight of each token of the vocabulary among those of the text's tokens: [V].
  private func weigh(
    _ entry: PassPlan.Entry, _ weights: TokenWeights, _ thread: ThreadState
  ) -> [Float] {
    let hidden = unsafe hidden(before: entry.depth, thread)
    let columns = shape.configuration.hiddenSize
    var sparse = [Float](repeating: 0, count: shape.configuration.vocabularySize)
    var isFinite = true
    for (row, id) in plan.ids[entry.rows].prefix(entry.attendedCount).enumerated()
    where !entry.selection.unweighted.contains(id) {
      var weight: Float = 0
      unsafe denseVector(
        columns, 1, weights.layer.weights, weights.layer.bias, hidden.row(entry.resultRow + row),
        &weight)
      isFinite = isFinite && weight.isFinite
      sparse[Int(id)] = max(sparse[Int(id)], weight)
    }
    if !isFinite {
      updateResult(of: entry.sequence) { $0.failure = .notFinite(key: .sparseEmbedding) }
    }
    return sparse
  }

  /// Rows without the gaps between them; notes a value that is not finite.
  private func copy(
    rows: Int, of source: UnsafePointer<Float>, _ stride: Int, as key: OutputKey,
    _ entry: PassPlan.Entry, _ columns: Int? = nil
  ) -> [Float] {
    let columns = columns ?? shape.configuration.hiddenSize
    return unsafe [Float](unsafeUninitializedCapacity: rows * columns) { values, count in
      if unsafe !copyFinite(rows, columns, source, stride, values.baseAddress!) {
        updateResult(of: entry.sequence) { $0.failure = .notFinite(key: key) }
      }
      count = rows * columns
    }
  }
}
