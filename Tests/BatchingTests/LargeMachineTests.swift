import EncoderContract
import FoundationEssentials
import TestSupport
import Testing

@testable import Batching

/// The scheduler on machines with more threads than any at hand: what a pass is made of was measured on two cores
/// (`BERT_SERVER_MEASURE=1 swift test --disable-xctest --filter 'ThreadCost|LargeMachine'`), the rest is arithmetic.
@Suite struct LargeMachineTests {
  /// Seconds, of all-MiniLM-L6-v2 in float32 on two cores of a Zen 3 (AVX2), the slowest of three runs.
  struct Costs {
    /// A row of a pass on one thread: attention grows with the text.
    func row(tokens: Int) -> Double { 2.5e-4 + 1.75e-7 * Double(tokens) }
    /// A meeting of two threads that arrive together, and what each further one adds: its write to the cache line
    /// that all write to, which cannot be measured with two cores.
    var meeting = 2.3e-7
    var furtherThread = 1e-7
    /// Until a parked thread runs.
    var wakeUp = 4.2e-5
    /// What the queue, which is one for all threads, takes for a request on its way in, and again on its way out.
    var handOver = 1.6e-5
  }

  private static let blocks = 6

  /// Panels of a block's products, queries, keys and values first, and their shares of its multiply-adds.
  private static let products = [(72, 3.0 / 12), (24, 1.0 / 12), (96, 4.0 / 12), (24, 4.0 / 12)]

  /// Seconds of a pass over texts of so many tokens: the slowest thread's work, and the meetings.
  static func passTime(rows: Int, tokens: Int, threads: Int, _ costs: Costs) -> Double {
    let alone = Double(rows) * costs.row(tokens: tokens)
    if threads == 1 { return alone + costs.wakeUp }
    let meeting = costs.meeting + Double(threads - 2) * costs.furtherThread
    // `RowLimits` and `Pass+Sharing.swift`: few rows are shared by columns, else each has as many rows.
    if rows <= min(32 * threads, 128) {
      let work = products.reduce(0) { sum, product in
        let (panels, share) = product
        return sum + share * Double((panels + threads - 1) / threads) / Double(panels)
      }
      return alone * work + Double(blocks * 5 + 2) * meeting + costs.wakeUp
    }
    let work = Double((rows + threads - 1) / threads) / Double(rows)
    return alone * work + Double(blocks * 2 + 2) * meeting + costs.wakeUp
  }

  /// Tokens a second, and the mean of the seconds that a text takes, with so many clients that send a text after
  /// each answer.
  static func run(
    threads: Int, clients: Int, tokens: Int, seconds: Double, _ costs: Costs = Costs()
  ) throws -> (tokensPerSecond: Double, latency: Double) {
    var scheduler = BatchScheduler(
      threadCount: threads,
      limits: BatchLimits(maxBatchTokens: 16_384, maxQueueTokens: 1 << 24, maxWait: .zero))
    let start = ContinuousClock.now
    func instant(_ time: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(time)) }
    var queueIsFree = 0.0
    var finished = 0
    var latencies = 0.0
    var running: [(end: Double, batch: BatchScheduler.Batch)] = []
    var sent: [RequestID: Double] = [:]

    /// The queue does one thing at a time.
    func handOver(_ count: Int, at time: Double) -> Double {
      queueIsFree = max(queueIsFree, time) + Double(count) * costs.handOver
      return queueIsFree
    }
    func perform(_ actions: [BatchScheduler.Action], at time: Double) {
      for case .start(let batch) in actions {
        running.append(
          (
            time + passTime(rows: batch.rows, tokens: tokens, threads: batch.threads.count, costs),
            batch
          ))
      }
    }
    func send(at time: Double) throws {
      let now = handOver(1, at: time)
      let (id, actions) = try scheduler.submit([tokens], deadline: nil, at: instant(now))
      sent[id] = time
      perform(actions, at: now)
    }
    for _ in 0..<clients { try send(at: 0) }
    while let next = running.indices.min(by: { running[$0].end < running[$1].end }) {
      let (end, batch) = running.remove(at: next)
      if end > seconds { break }
      let now = handOver(batch.slices.count, at: end)
      perform(scheduler.finish(batch, at: instant(now)), at: now)
      for slice in batch.slices {
        finished += 1
        latencies += now - (sent.removeValue(forKey: slice.request) ?? now)
        try send(at: now)
      }
    }
    return (Double(finished * tokens) / seconds, latencies / Double(max(1, finished)))
  }

  /// Four texts a thread: passes side by side, and little that they wait for together.
  @Test(arguments: [2, 4, 16, 64])
  func manyTextsScale(threads: Int) throws {
    let one = try Self.run(threads: 1, clients: 4, tokens: 128, seconds: 20).tokensPerSecond
    let many = try Self.run(
      threads: threads, clients: 4 * threads, tokens: 128, seconds: 20
    ).tokensPerSecond
    #expect(many > 0.9 * Double(threads) * one)
  }

  /// A lone text is sooner done the more threads there are. One of 16 tokens is from 32 on as long in meetings as
  /// it was in products, and loses little.
  @Test(arguments: [16, 128, 512])
  func aLoneTextIsNotSlower(tokens: Int) {
    var last = Double.infinity
    for threads in [1, 2, 4, 8, 16, 32, 64] {
      let time = Self.passTime(rows: tokens, tokens: tokens, threads: threads, Costs())
      #expect(time < (threads > 32 ? 1.25 : 1.02) * last, "\(threads) threads")
      last = time
    }
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["BERT_SERVER_MEASURE"] != nil))
  func table() throws {
    print("threads | many texts of 128, of 16, as one thread | one text of 16, 128, 512 tokens, ms")
    for threads in [1, 2, 4, 8, 16, 32, 64, 128] {
      let many = try [128, 16].map { tokens in
        let speeds = try [1, threads].map { threads in
          let clients = threads * 512 / tokens
          return try Self.run(threads: threads, clients: clients, tokens: tokens, seconds: 5)
            .tokensPerSecond
        }
        return (speeds[1] / speeds[0] * 100).rounded() / 100
      }
      let lone = [16, 128, 512].map { tokens in
        (Self.passTime(rows: tokens, tokens: tokens, threads: threads, Costs()) * 1e5).rounded()
          / 100
      }
      print(threads, many, lone, separator: " | ")
    }
  }

  /// The queue's part of a request: thousands of texts through an encoder that does nothing.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["BERT_SERVER_MEASURE"] != nil))
  func costsOfTheQueue() async throws {
    let queue = BatchQueue(
      encoders: [FakeEncoder(threads: 1)],
      limits: BatchLimits(maxBatchTokens: 16_384, maxQueueTokens: 1 << 24, maxWait: .zero))
    let count = 20_000
    let left = Guarded(count)
    let start = ContinuousClock.now
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      do {
        for _ in 0..<count {
          _ = try queue.encode([item(16, sum: 1)]) { _ in
            if left.access({
              $0 -= 1
              return $0 == 0
            }) {
              done.resume()
            }
          }
        }
      } catch { done.resume(throwing: error) }
    }
    print("a request through the queue: \((ContinuousClock.now - start) / count)")
  }
}
