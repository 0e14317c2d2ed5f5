/// Requests in turn: the first is served, then goes to the end or leaves.
///
/// All operations are O(1) amortised: the space before `head` is given back when it is half.
struct RequestRing {
  private var ids: [RequestID] = []
  private var head = 0

  var first: RequestID? { head < ids.count ? ids[head] : nil }
  var count: Int { ids.count - head }

  mutating func append(_ id: RequestID) { ids.append(id) }

  mutating func removeFirst() {
    head += 1
    guard head * 2 > ids.count else { return }
    ids.removeFirst(head)
    head = 0
  }

  mutating func rotate() {
    ids.append(ids[head])
    removeFirst()
  }

  mutating func keep(where isKept: (RequestID) -> Bool) {
    ids = ids[head...].filter(isKept)
    head = 0
  }
}
