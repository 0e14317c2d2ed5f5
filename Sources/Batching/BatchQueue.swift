import Dispatch
public import EncoderContract

/// The queue before the encoders: `BatchScheduler` with a clock, a place and somebody to tell.
///
/// Whoever has an event (a submit, a thread at the end of its pass) brings it to the state's queue
/// itself with `sync` and acts on the outcome on its own thread: a submit knows at once whether
/// there is room, and a thread picks up its next pass without waking a thread between. A submit takes
/// some 1.2 µs so and 0.8 µs with a `Mutex` in the queue's place, which the thread sanitizer cannot
/// see through. What the requests hear is told on a second queue: no thread waits for a listener.
///
/// Each accepted request is kept until it has heard all or was cancelled, and each pass and timer
/// keeps the queue: no answer is lost on the way.
///
/// `@unchecked Sendable`: `state` is touched in `withState` only, on `stateQueue`.
public final class BatchQueue: @unchecked Sendable {
  fileprivate struct State {
    var scheduler: BatchScheduler
    /// Requests that have not heard everything yet: the scheduler may be done with them before.
    var submissions: [RequestID: Submission] = [:]
    var whenDrained: [@Sendable () -> Void] = []
    /// The earliest wake-up that is on its way.
    var wakeUp: ContinuousClock.Instant?
  }

  fileprivate struct Submission {
    let items: [BatchItem]
    let arrival: ContinuousClock.Instant
    let onEvent: @Sendable (BatchEvent) -> Void
    var unheard: Int
  }

  /// A pass that is to start, with its input.
  fileprivate struct Pass {
    let batch: BatchScheduler.Batch
    let items: [ArraySlice<BatchItem>]
    let start: ContinuousClock.Instant
  }

  /// What an event led to; done off the state's queue.
  fileprivate struct Work {
    var passes: [Pass] = []
    var failures: [(RequestID, BatchingError)] = []
    var wakeUp: ContinuousClock.Instant?
    var whenDrained: [@Sendable () -> Void] = []
  }

  private let encoders: [any BatchEncoder]
  private var state: State
  private let stateQueue = DispatchQueue(label: "bert-server.batching.state")
  /// All events and drain completions are called here.
  private let listeners = DispatchQueue(label: "bert-server.batching.listeners")

  /// - Parameter encoders: at least one; all run on the same threads.
  public init(encoders: [any BatchEncoder], limits: BatchLimits) {
    self.encoders = encoders
    state = State(
      scheduler: BatchScheduler(
        encoderCount: encoders.count, threadCount: encoders[0].threadCount, limits: limits))
  }

  private func withState<T>(_ body: (inout State) -> T) -> T {
    stateQueue.sync { body(&state) }
  }

  // MARK: API

  /// Queues a request's items; returns at once.
  ///
  /// - Parameters:
  ///   - encoder: index of the one that encodes them.
  ///   - deadline: when the request as a whole fails as `expired`, whatever of it is done by then.
  ///   - onEvent: hears of each item, or of a failure: see `BatchEvent`. Called on one serial queue
  ///     for all requests, so it must not block; possibly before `submit` returns.
  /// - Throws: `empty`, `sequenceTooLong`, `tooLarge`, `queueFull` or `draining`; `onEvent` is then
  ///   never called.
  public func submit(
    _ items: [BatchItem], to encoder: Int = 0, deadline: ContinuousClock.Instant? = nil,
    onEvent: @escaping @Sendable (BatchEvent) -> Void
  ) throws(BatchingError) -> RequestID {
    let tokenCounts = items.map(\.sequence.count)
    let (id, work) = try withState { state in
      Result { () throws(BatchingError) in
        let now = ContinuousClock.now
        let (id, actions) = try state.scheduler.submit(
          tokenCounts, to: encoder, deadline: deadline, at: now)
        state.submissions[id] = Submission(
          items: items, arrival: now, onEvent: onEvent, unheard: items.count)
        return (id, state.work(for: actions, at: now))
      }
    }.get()
    perform(work)
    return id
  }

  /// Whether a request of so many tokens could be queued now, for who is about to make them.
  ///
  /// - Throws: `tooLarge` or `queueFull`.
  public func check(tokens: Int) throws(BatchingError) {
    try withState { state in
      Result { () throws(BatchingError) in try state.scheduler.checkRoom(for: tokens) }
    }.get()
  }

  /// Drops a request: what of it waits is never encoded, and it hears no more.
  ///
  /// A call that another thread is just making is not waited for. A request that is over, or
  /// cancelled before, is left as it is.
  public func cancel(_ id: RequestID) {
    // What was removed is freed here and not on the state's queue: it may be large.
    let (_, work) = withState { state in
      state.scheduler.cancel(id)
      let submission = state.submissions.removeValue(forKey: id)
      return (submission, state.work(for: [], at: .now))
    }
    perform(work)
  }

  /// Refuses new requests from now on and finishes the others.
  ///
  /// - Parameter completion: called once when each request has heard all and no pass runs.
  public func drain(_ completion: @escaping @Sendable () -> Void) {
    let work = withState { state in
      let now = ContinuousClock.now
      state.whenDrained.append(completion)
      return state.work(for: state.scheduler.drain(at: now), at: now)
    }
    perform(work)
  }

  /// - Complexity: O(requests).
  public var statistics: BatchStatistics {
    withState { $0.scheduler.statistics(at: .now) }
  }

  // MARK: Passes

  private func perform(_ work: Work) {
    for pass in work.passes { start(pass) }
    if let wakeUp = work.wakeUp { wake(at: wakeUp) }
    if work.failures.isEmpty && work.whenDrained.isEmpty { return }
    listeners.async { [self] in
      for (id, error) in work.failures {
        let submission = withState { $0.submissions.removeValue(forKey: id) }
        submission?.onEvent(.failed(error))
      }
      for completion in work.whenDrained { completion() }
      tellIfDrained()
    }
  }

  private func start(_ pass: Pass) {
    var packed = PackedBatch()
    for items in pass.items {
      for item in items { packed.append(item.sequence, for: item.selection) }
    }
    encoders[pass.batch.encoder].encode(packed, on: pass.batch.threads) { [self] result in
      finish(pass.batch, startedAt: pass.start, with: result)
    }
  }

  /// On a thread of the encoder.
  private func finish(
    _ batch: BatchScheduler.Batch, startedAt start: ContinuousClock.Instant,
    with result: Result<[EncodedSequence], EncodeError>
  ) {
    let end = ContinuousClock.now
    let error: BatchingError? =
      switch result {
      case .success(let sequences) where sequences.count == batch.count: nil
      case .success(let sequences):
        .encoder(.unsupported("\(batch.count) sequences went in, \(sequences.count) came out"))
      case .failure(let error): .encoder(error)
      }
    let work = withState { state in
      // Not `end`: what came in since then may be in the next pass, and time must not run back.
      let now = ContinuousClock.now
      return state.work(for: state.scheduler.finish(batch, error: error, at: now), at: now)
    }
    perform(work)
    guard case .success(let sequences) = result, error == nil else { return }
    listeners.async { [self] in
      tell(of: sequences, in: batch, startedAt: start, took: end - start)
    }
  }

  // MARK: Listeners

  private func tell(
    of sequences: [EncodedSequence], in batch: BatchScheduler.Batch,
    startedAt start: ContinuousClock.Instant, took encodeTime: Duration
  ) {
    let members = batch.slices.lazy.flatMap { slice in
      slice.indices.lazy.map { (slice.request, $0) }
    }
    for ((id, index), sequence) in zip(members, sequences) {
      // Asked anew for each: a listener may have cancelled its own request.
      guard let submission = withState({ $0.hear(id) }) else { continue }
      let result = EncodedResult(
        sequence: sequence, queueTime: start - submission.arrival, encodeTime: encodeTime)
      submission.onEvent(.encoded(index: index, result))
    }
    tellIfDrained()
  }

  private func tellIfDrained() {
    for completion in withState({ $0.takeDrained() }) { completion() }
  }

  // MARK: Time

  private func wake(at instant: ContinuousClock.Instant) {
    let seconds = max(.zero, instant - .now) / .seconds(1)
    listeners.asyncAfter(deadline: .now() + seconds) { [self] in
      let work = withState { state in
        let now = ContinuousClock.now
        if state.wakeUp == instant { state.wakeUp = nil }
        return state.work(for: state.scheduler.advance(to: now), at: now)
      }
      perform(work)
    }
  }
}

extension BatchQueue.State {
  /// What is to be done for the scheduler's actions, and by when it wants to be asked again.
  fileprivate mutating func work(
    for actions: [BatchScheduler.Action], at now: ContinuousClock.Instant
  ) -> BatchQueue.Work {
    var work = BatchQueue.Work()
    for action in actions {
      switch action {
      case .start(let batch):
        // A request that the scheduler has is in `submissions` too: it leaves there last.
        let items = batch.slices.map { submissions[$0.request]!.items[$0.indices] }
        work.passes.append(.init(batch: batch, items: items, start: now))
      case .fail(let id, let error):
        work.failures.append((id, error))
      }
    }
    if let wanted = scheduler.wakeUp, wakeUp.map({ wanted < $0 }) ?? true {
      wakeUp = wanted
      work.wakeUp = wanted
    }
    work.whenDrained = takeDrained()
    return work
  }

  /// Counts one event more that the request has heard; nil if it is not to hear it.
  fileprivate mutating func hear(_ id: RequestID) -> BatchQueue.Submission? {
    guard let index = submissions.index(forKey: id) else { return nil }
    submissions.values[index].unheard -= 1
    let submission = submissions.values[index]
    if submission.unheard == 0 { submissions.remove(at: index) }
    return submission
  }

  /// The completions to call now.
  fileprivate mutating func takeDrained() -> [@Sendable () -> Void] {
    guard scheduler.isDrained && submissions.isEmpty else { return [] }
    defer { whenDrained = [] }
    return whenDrained
  }
}
