import Dispatch
import EncoderContract

@testable import Batching

/// An encoder that answers with the sum of a text's ids and takes as long as it is told.
///
/// Each of its threads is a serial queue; it notes when two passes meet on one.
final class FakeEncoder: BatchEncoder {
  let threadCount: Int
  /// What a pass does before it answers, on its thread.
  private let work: @Sendable (PackedBatch) -> EncodeError?
  private let threads: [DispatchQueue]
  private let state = Guarded(State())

  struct State {
    var busy: Set<Int> = []
    var overlaps = 0
    var passes = 0
    var sequences = 0
  }

  init(threads: Int, work: @escaping @Sendable (PackedBatch) -> EncodeError? = { _ in nil }) {
    threadCount = threads
    self.work = work
    self.threads = (0..<threads).map { DispatchQueue(label: "thread \($0)") }
  }

  var seen: State { state.access { $0 } }

  func encode(
    _ batch: PackedBatch, on used: [Int],
    completion: @escaping @Sendable (Result<[EncodedSequence], EncodeError>) -> Void
  ) {
    state.access { state in
      state.overlaps += state.busy.intersection(used).count
      state.busy.formUnion(used)
      state.passes += 1
      state.sequences += batch.count
    }
    threads[used[0]].async { [self] in
      let error = work(batch)
      let results = (0..<batch.count).map { index in
        var sequence = EncodedSequence(rowCount: batch.rows(of: index).count)
        sequence[.pooledOutput] = [Float(batch.ids[batch.rows(of: index)].reduce(0, +))]
        return sequence
      }
      state.access { $0.busy.subtract(used) }
      completion(error.map { .failure($0) } ?? .success(results))
    }
  }
}

/// A text of so many tokens whose ids add up to `sum`.
func item(_ tokens: Int, sum: Int) -> BatchItem {
  var ids = [Int32](repeating: 0, count: tokens)
  ids[0] = Int32(sum)
  return BatchItem(
    TokenSequence(ids: ids, typeIDs: [Int32](repeating: 0, count: tokens)),
    for: OutputSelection([.pooledOutput]))
}

/// Holds a pass back until it is opened; further passes go through.
final class Gate: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)

  func open() { semaphore.signal() }

  func pass() {
    semaphore.wait()
    semaphore.signal()
  }
}

/// A value on a queue of its own: the thread sanitizer knows those, and not `Mutex`.
///
/// `@unchecked Sendable`: `value` is touched on `queue` only.
final class Guarded<Value: Sendable>: @unchecked Sendable {
  private var value: Value
  private let queue = DispatchQueue(label: "guarded")

  init(_ value: Value) { self.value = value }

  func access<T>(_ body: (inout Value) -> T) -> T { queue.sync { body(&value) } }
}
