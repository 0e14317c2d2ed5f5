import CKernels
import Checkpoints
import Synchronization

/// One piece of the work of loading; independent of the others.
enum PackingJob: Sendable {
  /// Copies a tensor as it is.
  case copy(Tensor, Int)
  /// Packs weight matrices stacked on each other: all [out, in], the same `in`.
  case pack([Tensor], LayerPlace)
  /// Spreads a table of buckets, [buckets, A], over all distances: [A, 2 · positions - 1].
  case spread(Tensor, ModelConfiguration, Int)
  /// Computes the biases of all distances, in the same order.
  case linearBias(ModelConfiguration, Int)
  /// Computes the angles of rotary positions: [positions, size].
  case rotaryTable(RotaryEmbedding, ModelConfiguration, Int)
  /// Makes a block's rows of distances.
  case relativeRows(RelativeProjection)
  /// The row of every distance: [2 · positions - 1] integers.
  case rowsOfDistances(DisentangledAttention, positionCount: Int, Int)

  /// Floats that a thread needs to read the matrices before it packs them.
  var scratchCount: Int {
    switch self {
    case .copy, .linearBias, .rotaryTable, .rowsOfDistances: 0
    case .relativeRows(let rows): rows.scratchCount
    case .pack(_, let place): place.outputs * place.inputs
    case .spread(let table, _, _): table.count
    }
  }

  /// Runs all jobs, on the threads of node 0: memory is that of the node whose thread touches it first.
  ///
  /// - Parameter scratchCount: that of the job which needs most.
  static func run(
    _ jobs: [PackingJob], scratchCount: Int, kernels: Kernels, into arena: FloatArena,
    threads: ComputeThreads
  ) throws(BERTError) {
    let work = SharedWork()
    let failure = Mutex<BERTError?>(nil)
    threads.run(on: threads.threads(of: 0)) { _ in
      do throws(BERTError) {
        // Made once a thread: its pages are used again, and leave the process when it ends.
        let scratch = try FloatArena(count: scratchCount)
        while let index = work.take(of: jobs.count) {
          try jobs[index].run(kernels: kernels, scratch: scratch, into: arena)
        }
      } catch {
        // The others go on to the end of their job.
        while work.take(of: jobs.count) != nil {}
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  private func run(
    kernels: Kernels, scratch: FloatArena, into arena: FloatArena
  ) throws(BERTError) {
    do throws(CheckpointError) {
      switch self {
      case .copy(let tensor, let offset):
        try arena.copy(tensor, at: offset)
      case .pack(let tensors, let place):
        // A panel may span two matrices: they are stacked first.
        var offset = 0
        for tensor in tensors {
          try scratch.copy(tensor, at: offset)
          offset += tensor.count
        }
        unsafe kernels.set.pack(
          scratch.floats(at: 0), place.outputs, place.inputs, 0,
          kernels.panelCount(outputs: place.outputs), arena.floats(at: place.weights))
      case .spread(let table, let configuration, let offset):
        try scratch.copy(table, at: 0)
        let heads = configuration.headCount
        let farthest = configuration.positionCount - 1
        for distance in -farthest...farthest {
          let row = unsafe scratch.floats(at: RelativeBias.bucket(distance: distance) * heads)
          for head in 0..<heads {
            let column = head * (2 * farthest + 1) + distance + farthest
            unsafe arena.floats(at: offset + column).pointee = row[head]
          }
        }
      case .linearBias(let configuration, let offset):
        let farthest = configuration.positionCount - 1
        let slopes = LinearBias.slopes(headCount: configuration.headCount)
        for (head, slope) in slopes.enumerated() {
          let ofDistanceZero =
            unsafe arena.floats(at: offset + head * (2 * farthest + 1) + farthest)
          for distance in -farthest...farthest {
            unsafe ofDistanceZero[distance] = LinearBias.value(slope: slope, distance: distance)
          }
        }
      case .relativeRows(let rows): try rows.run(scratch: scratch, into: arena)
      case .rowsOfDistances(let disentangled, let positionCount, let offset):
        let rows = unsafe UnsafeMutableRawPointer(arena.floats(at: offset))
        var last = Int32.max
        for distance in 1 - positionCount..<positionCount {
          let row = Int32(disentangled.row(distance: distance))
          // The kernels read between the first and the last of a text's.
          precondition(row <= last, "rows of distances do not increase")
          last = row
          let index = distance + positionCount - 1
          unsafe rows.storeBytes(of: row, toByteOffset: 4 * index, as: Int32.self)
        }
      case .rotaryTable(let rotary, let configuration, let offset):
        let size = configuration.headSize
        let frequencies = rotary.frequencies(size: size)
        for position in 0..<configuration.positionCount {
          let row = unsafe arena.floats(at: offset + position * size)
          let angles = rotary.row(position: position, frequencies: frequencies)
          unsafe row.update(from: angles, count: size)
        }
      }
    } catch {
      throw .checkpoint(error)
    }
  }
}
