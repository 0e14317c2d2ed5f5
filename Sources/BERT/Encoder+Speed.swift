import CKernels
import Checkpoints
public import EncoderContract

/// What a pass costs, and what the machine could do at most.
extension Encoder {
  /// Floating-point operations of a batch that is encoded through all blocks, all rows: those of
  /// the products but DeBERTa's with distances, two a multiply-add. Padding would not count.
  public func operations(of batch: PackedBatch) -> Double {
    let hidden = Double(configuration.hiddenSize)
    let intermediate = Double(configuration.intermediateSize)
    let feedForward = (configuration.isGated ? 3 : 2) * hidden * intermediate
    // A mix of heads makes each of them as wide as all.
    let width = hidden * Double(configuration.mixesHeads ? configuration.headCount : 1)
    var sum = 0.0
    for block in 0..<configuration.blockCount {
      let window = configuration.attention(of: block).window
      for sequence in 0..<batch.count {
        let rows = batch.rows(of: sequence).count
        let attended = Self.attendedCount(rows, window: window)
        sum += 2 * (4 * hidden * hidden + feedForward) * Double(rows) + 4 * width * attended
      }
    }
    if let convolution = configuration.convolution {
      sum += 2 * Double(convolution.size) * hidden * hidden * Double(batch.rowCount)
    }
    return sum
  }

  /// Pairs of a query and a key that it attends to.
  private static func attendedCount(_ rows: Int, window: Int?) -> Double {
    let (rows, window) = (Double(rows), Double(min(window ?? rows, rows)))
    // Of all pairs, those at least `window` apart on either side are missing.
    return rows * rows - (rows - window) * (rows - window + 1)
  }

  /// Floating-point operations a second of all threads together, by multiply-adds on registers alone,
  /// measured now for about `duration`. Not to be called on a thread, nor while one is busy.
  public func measurePeak(for duration: Duration = .milliseconds(20)) -> Double {
    let steps = 2_000_000
    let kernels = kernels
    var calls = 0
    let start = ContinuousClock.now
    var time = Duration.zero
    repeat {
      threads.runOnAll { _ in unsafe kernels.set.peak(steps) }
      calls += 1
      time = .now - start
    } while time < duration
    let operations = unsafe kernels.set.peakOperations * Double(steps * calls * threads.count)
    return operations / (time / .seconds(1))
  }

  /// Seconds that all threads together take to read the weights of all blocks once from where they
  /// lie, measured now for about `duration`: a pass cannot take less. Not to be called on a thread,
  /// nor while one is busy.
  public func measureReading(for duration: Duration = .milliseconds(20)) -> Double {
    let weights = weights
    let nodes = threads.nodes
    let kernels = kernels
    let threadCount = threads.count
    var calls = 0
    let start = ContinuousClock.now
    var time = Duration.zero
    repeat {
      threads.runOnAll { rank in
        let weights = weights[nodes[rank]]
        func read(_ layer: LinearLayer) {
          let panelSize = unsafe kernels.set.panelSize(layer.inputs)
          let panels = unsafe kernels.panelCount(outputs: layer.outputs)
          let first = panels * rank / threadCount
          let count = panels * (rank + 1) / threadCount - first
          _ = unsafe readAll(layer.weights + first * panelSize, count * panelSize)
        }
        for index in unsafe weights.blocks.indices {
          let block = unsafe weights.blocks[index]
          unsafe read(block.queryKeyValue)
          unsafe read(block.attentionOutput)
          if let gate = unsafe block.gate { unsafe read(gate) }
          unsafe read(block.intermediate)
          unsafe read(block.output)
        }
        if let convolution = unsafe weights.convolution { unsafe read(convolution.layer) }
      }
      calls += 1
      time = .now - start
    } while time < duration
    return time / .seconds(1) / Double(calls)
  }
}
