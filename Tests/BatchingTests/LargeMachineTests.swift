import EncoderContract
import FoundationEssentials
import TestSupport
import Testing

@testable import Batching

/// The scheduler with more threads than this machine has CPUs, on a simulated clock. What a pass costs was measured on
/// two cores; `BERT_SERVER_MEASURE=1 swift test --disable-xctest --filter 'ThreadCost|LargeMachine'` measures it again
/// and prints the table of `Tests/Benchmarks/results/figures.md`.
@Suite struct LargeMachineTests {
  private static let isMeasuring =
    ProcessInfo.processInfo.environment["BERT_SERVER_MEASURE"] != nil

  /// Seconds, of all-MiniLM-L6-v2 in float32 on two cores of a Zen 3 (AVX2).
  private enum Cost {
    /// Of a row of a pass on one thread, fitted to `bench --threads 1` at 128 and 512 tokens.
    static func row(tokens: Int) -> Double { 2.5e-4 + 1.75e-7 * Double(tokens) }
    /// Of a barrier of two threads that arrive together.
    static let barrier = 2.3e-7
    /// What each further thread adds to a barrier: assumed, for two cores cannot show it.
    static let barrierThread = 1e-7
    /// Until a parked thread runs.
    static let wakeUp = 4.2e-5
    /// Of the queue, which all threads share, for a request on its way in, and the same on its way out.
    static let queue = 1.6e-5
  }

  private static let blocks = 6

  /// Panels of a block's products, queries, keys and values first, and their shares of its multiply-adds.
  private static let products = [(72, 3.0 / 12), (24, 1.0 / 12), (96, 4.0 / 12), (24, 4.0 / 12)]

  /// Seconds of a pass over texts of so many tokens: the slowest thread's work, and the barriers.
  private static func passTime(rows: Int, tokens: Int, threads: Int) -> Double {
    let alone = Double(rows) * Cost.row(tokens: tokens)
    if threads == 1 { return alone + Cost.wakeUp }
    let barrier = Cost.barrier + Double(threads - 2) * Cost.barrierThread
    // As `RowLimits` and `Pass+Sharing.swift` have it: few rows are shared by columns, else each thread has some.
    if rows <= min(32 * threads, 128) {
      let work = products.reduce(0) { sum, product in
        let (panels, share) = product
        return sum + share * Double((panels + threads - 1) / threads) / Double(panels)
      }
      return alone * work + Double(blocks * 5 + 2) * barrier + Cost.wakeUp
    }
    let work = Double((rows + threads - 1) / threads) / Double(rows)
    return alone * work + Double(blocks * 2 + 2) * barrier + Cost.wakeUp
  }

  /// Tokens a second with so many clients that send a text after each answer.
  private static func tokensPerSecond(
    threads: Int, clients: Int, tokens: Int, seconds: Double
  ) throws -> Double {
    var scheduler = BatchScheduler(
      threadCount: threads,
      limits: BatchLimits(maxBatchTokens: 16_384, maxQueueTokens: 1 << 24, maxWait: .zero))
    let start = ContinuousClock.now
    func instant(_ time: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(time)) }
    var queueIsFree = 0.0
    var finished = 0
    var running: [(end: Double, batch: BatchScheduler.Batch)] = []

    /// When the queue, which does one thing at a time, is done with so many requests.
    func throughQueue(_ count: Int, at time: Double) -> Double {
      queueIsFree = max(queueIsFree, time) + Double(count) * Cost.queue
      return queueIsFree
    }
    func perform(_ actions: [BatchScheduler.Action], at time: Double) {
      for case .start(let batch) in actions {
        let seconds = passTime(rows: batch.rows, tokens: tokens, threads: batch.threads.count)
        running.append((time + seconds, batch))
      }
    }
    func send(at time: Double) throws {
      let now = throughQueue(1, at: time)
      perform(try scheduler.submit([tokens], deadline: nil, at: instant(now)).1, at: now)
    }
    for _ in 0..<clients { try send(at: 0) }
    while let next = running.indices.min(by: { running[$0].end < running[$1].end }) {
      let (end, batch) = running.remove(at: next)
      if end > seconds { break }
      let now = throughQueue(batch.slices.count, at: end)
      perform(scheduler.finish(batch, at: instant(now)), at: now)
      for _ in batch.slices {
        finished += 1
        try send(at: now)
      }
    }
    return Double(finished * tokens) / seconds
  }

  /// Four texts a thread: the scheduler runs passes side by side.
  @Test(arguments: [2, 4, 16, 64])
  func manyTextsScale(threads: Int) throws {
    let one = try Self.tokensPerSecond(threads: 1, clients: 4, tokens: 128, seconds: 20)
    let many = try Self.tokensPerSecond(
      threads: threads, clients: 4 * threads, tokens: 128, seconds: 20)
    #expect(many > 0.9 * Double(threads) * one)
  }

  @Test(.enabled(if: isMeasuring))
  func table() throws {
    print("threads | many texts of 128, of 16, as one thread | one text of 16, 128, 512 tokens, ms")
    for threads in [1, 2, 4, 8, 16, 32, 64, 128] {
      let many = try [128, 16].map { tokens in
        let speeds = try [1, threads].map { threads in
          try Self.tokensPerSecond(
            threads: threads, clients: threads * 512 / tokens, tokens: tokens, seconds: 60)
        }
        return (speeds[1] / speeds[0] * 100).rounded() / 100
      }
      let lone = [16, 128, 512].map { tokens in
        (Self.passTime(rows: tokens, tokens: tokens, threads: threads) * 1e5).rounded() / 100
      }
      print(threads, many, lone, separator: " | ")
    }
  }

  /// Thousands of texts through the queue to an encoder that does nothing.
  @Test(.enabled(if: isMeasuring))
  func costOfTheQueue() async throws {
    let queue = BatchQueue(
      encoders: [FakeEncoder(threads: 1)],
      limits: BatchLimits(maxBatchTokens: 16_384, maxQueueTokens: 1 << 24, maxWait: .zero))
    let count = 20_000
    let unanswered = Guarded(count)
    @Sendable func isLast() -> Bool {
      unanswered.access { count in
        count -= 1
        return count == 0
      }
    }
    let start = ContinuousClock.now
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      do {
        for _ in 0..<count {
          _ = try queue.encode([item(16, sum: 1)]) { _ in if isLast() { done.resume() } }
        }
      } catch { done.resume(throwing: error) }
    }
    print("a request through the queue: \((ContinuousClock.now - start) / count)")
  }
}
