import TestSupport

/// Changes requests by their parts, so that what comes behind a change is still read: a fault in the
/// second chunk of the second request is a few changes away, not as many as it has bytes.
struct RequestMutator {
  private var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// - Parameter input: as `fuzzConnection` takes it: a byte for the cuts, then the stream.
  mutating func mutate(_ input: [UInt8]) -> [UInt8] {
    var lines = Self.lines(input.dropFirst())
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: 0...lines.count, using: &random)
      let other = lines.randomElement(using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: lines.insert(Array(line().utf8), at: place)
      case 1: if place < lines.count { lines.remove(at: place) }
      case 2: if let other { lines.insert(other, at: place) }
      case 3: if place < lines.count { lines[place] = numberChanged(lines[place]) }
      case 4: lines.insert(contentsOf: chunk(), at: place)
      default: lines.insert(contentsOf: request(), at: place)
      }
    }
    return [input.first ?? 0] + lines.joined(separator: [13, 10])
  }

  private static func lines(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
    var lines: [[UInt8]] = [[]]
    for byte in bytes {
      if byte == 10, lines[lines.count - 1].last == 13 {
        lines[lines.count - 1].removeLast()
        lines.append([])
      } else {
        lines[lines.count - 1].append(byte)
      }
    }
    return lines
  }

  /// A number within one of the limits that integers have.
  private mutating func number(_ radix: Int) -> String {
    let limits: [UInt64] = [1, 1 << 8, 1 << 16, 1 << 24, 1 << 31, 1 << 32, 1 << 63, .max]
    let limit = limits.randomElement(using: &random) ?? 0
    let text = String(limit &+ UInt64.random(in: 0...2, using: &random) &- 1, radix: radix)
    let written = Bool.random(using: &random) ? text : text.uppercased()
    switch Int.random(in: 0..<12, using: &random) {
    case 0: return "0" + written
    case 1: return String(repeating: "0", count: 16) + written
    case 2: return (["+", "-", "0x", " "].randomElement(using: &random) ?? "") + written
    case 3: return written + ([" ", ",", ";a", "_0", ".0"].randomElement(using: &random) ?? "")
    default: return written
    }
  }

  /// The line with one of its runs of digits replaced.
  private mutating func numberChanged(_ line: [UInt8]) -> [UInt8] {
    guard let start = line.indices.filter({ 0x30...0x39 ~= line[$0] }).randomElement(using: &random)
    else { return Array(number(16).utf8) }
    let rest = line[start...].drop { 0x30...0x39 ~= $0 }
    return line[..<start] + Array(number(line.contains(0x3A) ? 10 : 16).utf8) + rest
  }

  private mutating func line() -> String {
    let fields = [
      "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Length: 5",
      "Content-Length: \(number(10))", "Connection: close", "Connection: keep-alive",
      "Host: [::1]:80",
      "Expect: 100-continue", "Accept-Encoding: gzip", "GET /health HTTP/1.0", "X: \(number(10))",
      "",
      "0", " folded", ":", "5;a=\"\\\"\"; b", number(16), "POST http://a/echo?b=c HTTP/1.1",
    ]
    return fields.randomElement(using: &random) ?? ""
  }

  /// A chunk's lines: its size, right or not, and its data.
  private mutating func chunk() -> [[UInt8]] {
    let data = String(repeating: "a", count: Int.random(in: 0...20, using: &random))
    let isRight = Int.random(in: 0..<4, using: &random) > 0
    let size = isRight ? String(data.utf8.count, radix: 16) : number(16)
    return [Array(size.utf8), Array(data.utf8)]
  }

  /// A whole request, its framing of each kind.
  private mutating func request() -> [[UInt8]] {
    let target = ["/echo", "/health", "/busy", "/nowhere", "*"].randomElement(using: &random) ?? ""
    let method = ["POST", "GET", "HEAD", "OPTIONS"].randomElement(using: &random) ?? ""
    var lines = ["\(method) \(target) HTTP/1.1", "Host: a"].map { Array($0.utf8) }
    while Int.random(in: 0..<3, using: &random) == 0 { lines.append(Array(line().utf8)) }
    guard Bool.random(using: &random) else { return lines + [[], []] }
    lines += [Array("Transfer-Encoding: chunked".utf8), []]
    while Int.random(in: 0..<3, using: &random) > 0 { lines += chunk() }
    return lines + [[UInt8(ascii: "0")], [], []]
  }
}

/// libFuzzer's own changes: of bytes, by the dictionary, of two inputs. The function is C's; with
/// numbers and a pointer alone Swift calls it the same way.
@_silgen_name("LLVMFuzzerMutate")
private func changeBytes(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int) -> Int

@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(
  _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: CUnsignedInt
) -> Int {
  guard fuzzerName == "connection", seed % 2 == 0 else {
    return unsafe changeBytes(bytes, count, capacity)
  }
  var mutator = RequestMutator(seed: UInt64(seed))
  // libFuzzer owns the bytes; `capacity` of them may be written.
  let changed = mutator.mutate(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
  for (index, byte) in changed.prefix(capacity).enumerated() { unsafe bytes[index] = byte }
  return min(changed.count, capacity)
}
