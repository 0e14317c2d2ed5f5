import CKernels
import Testing

/// A kernel set, and its functions with guarded memory around what they are handed.
@safe
struct NamedSet: CustomTestStringConvertible, @unchecked Sendable {  // constant tables
  @unsafe let set: KernelSet
  @unsafe private let oracleSet: KernelSet

  /// Those that this CPU runs.
  static let all: [NamedSet] = {
    var result: [NamedSet] = []
    var index = 0
    while let set = unsafe kernelSet(index) {
      if unsafe set.pointee.isSupported() {
        unsafe result.append(NamedSet(set: set.pointee, oracleSet: oracleOf(set).pointee))
      }
      index += 1
    }
    return result
  }()

  var name: String { unsafe String(cString: set.name) }
  var precision: PrecisionKind { unsafe set.precision }
  var testDescription: String { "\(name), precision \(precision.rawValue)" }
  var isFloat32: Bool { precision == PrecisionFloat32 }
  var isInt8: Bool { precision == PrecisionInt8 }
  var width: Int { unsafe set.panelColumns }

  /// The plain one that rounds alike.
  var oracle: NamedSet { unsafe NamedSet(set: oracleSet, oracleSet: oracleSet) }

  // MARK: Values

  /// To the nearest value.
  func rounded(_ x: [Float]) -> [Float] { isFloat32 ? x : x.map { Float(bfloat16: $0.bfloat16) } }

  /// Floats as values, and bytes between the rows that nobody may read or write.
  func valueBytes(_ x: [Float], rows: Int, gap: Int) -> [UInt8] {
    let columns = x.count / rows
    let size = unsafe set.valueSize
    var bytes = [UInt8](repeating: 0xff, count: columns * size * rows + gap * (rows - 1))
    unsafe bytes.withUnsafeMutableBytes { bytes in
      var offset = 0
      for (index, value) in x.enumerated() {
        if isFloat32 {
          unsafe bytes.storeBytes(of: value, toByteOffset: offset, as: Float.self)
        } else {
          unsafe bytes.storeBytes(of: value.bfloat16, toByteOffset: offset, as: UInt16.self)
        }
        offset += index % columns == columns - 1 ? size + gap : size
      }
    }
    return bytes
  }

  func floats(ofValues bytes: ArraySlice<UInt8>) -> [Float] {
    unsafe bytes.withUnsafeBytes { bytes in
      isFloat32
        ? (0..<bytes.count / 4).map {
          unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }
        : (0..<bytes.count / 2).map {
          unsafe Float(bfloat16: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
        }
    }
  }

  /// x as the products read it, with a gap after each row, and the distance of rows.
  func operands(_ x: [Float], rows: Int, side: Side) -> (Guarded<UInt8>, stride: Int) {
    let columns = x.count / rows
    let gap = 12
    let valueStride = unsafe columns * set.valueSize + gap
    let values = Guarded(valueBytes(x, rows: rows, gap: gap), guarded: side)
    guard let makeOperands = unsafe set.makeOperands else { return (values, valueStride) }
    let stride = unsafe set.operandSize(columns) + gap
    let blank = [UInt8](repeating: 0xaa, count: rows * stride - gap)
    let operands = Guarded(blank, guarded: side)
    unsafe makeOperands(rows, columns, values.pointer, valueStride, operands.pointer, stride)
    let all = operands.values
    for row in 1..<max(rows, 1) {
      #expect(all[row * stride - gap..<row * stride].allSatisfy { $0 == 0xaa })
    }
    return (operands, stride)
  }

  // MARK: Products

  /// A layer with its memory.
  @safe
  final class Layer {
    let inputs: Int
    let outputs: Int
    private let packed: Guarded<UInt8>
    private let bias: GuardedFloats
    private let activation = UnsafeMutablePointer<Activation>.allocate(capacity: 1)
    private let givesValues: Bool

    init(
      _ set: NamedSet, weights: [Float], bias: [Float], inputs: Int, kind: ActivationKind,
      givesValues: Bool = false
    ) {
      self.inputs = inputs
      self.givesValues = givesValues
      outputs = bias.count
      self.bias = GuardedFloats(bias, guarded: .after)
      let panels = (outputs + set.width - 1) / set.width
      packed = unsafe Guarded(
        Array(repeating: 0xff, count: panels * set.set.panelSize(inputs)), guarded: .after)
      let source = GuardedFloats(weights, guarded: .after)
      unsafe set.set.pack(source.pointer, outputs, inputs, 0, panels, packed.pointer)
      unsafe activation.initialize(to: Activation())
      unsafe set.set.prepareActivation(kind, activation)
    }

    deinit { unsafe activation.deallocate() }

    var linear: LinearLayer {
      unsafe LinearLayer(
        weights: packed.pointer, bias: bias.pointer, inputs: inputs, outputs: outputs,
        activation: activation, givesValues: givesValues)
    }
  }

  /// y of a product, with gaps between the rows that must stay as they were.
  func product(
    _ layer: Layer, x: [Float], rows: Int, residual: [Float]?, side: Side,
    panels: Range<Int>? = nil
  ) -> [Float] {
    let gap = 3
    let ldy = layer.outputs + gap
    func spread(_ values: [Float], _ filler: Float) -> [Float] {
      Array(
        (0..<rows).map { values[$0 * layer.outputs..<($0 + 1) * layer.outputs] }
          .joined(separator: Array(repeating: filler, count: gap)))
    }
    let (input, ldx) = operands(x, rows: rows, side: side)
    let other = residual.map { GuardedFloats(spread($0, .nan), guarded: side) }
    let blank = [Float](repeating: 7, count: rows * layer.outputs)
    let output = GuardedFloats(spread(blank, 5), guarded: side)
    let panels = panels ?? 0..<((layer.outputs + width - 1) / width)
    var linear = unsafe layer.linear
    unsafe set.product(
      &linear, panels.lowerBound, panels.upperBound, rows, input.pointer, ldx, other?.pointer,
      ldy, output.pointer, ldy * MemoryLayout<Float>.size)
    let all = output.values
    for row in 0..<(rows - 1) {
      #expect(all[row * ldy + layer.outputs..<(row + 1) * ldy].allSatisfy { $0 == 5 })
    }
    return (0..<rows).flatMap { all[$0 * ldy..<$0 * ldy + layer.outputs] }
  }

  /// y of a product that gives values.
  func values(_ layer: Layer, x: [Float], rows: Int, side: Side) -> [Float] {
    let gap = 4
    let (input, ldx) = operands(x, rows: rows, side: side)
    let size = unsafe layer.outputs * set.valueSize
    let output = Guarded([UInt8](repeating: 0x55, count: rows * (size + gap) - gap), guarded: side)
    var linear = unsafe layer.linear
    unsafe set.product(
      &linear, 0, (layer.outputs + width - 1) / width, rows, input.pointer, ldx, nil, 0,
      output.pointer, size + gap)
    let all = output.values
    return (0..<rows).flatMap { row -> [Float] in
      let start = row * (size + gap)
      #expect(row == rows - 1 || all[start + size..<start + size + gap].allSatisfy { $0 == 0x55 })
      return floats(ofValues: all[start..<start + size])
    }
  }

  // MARK: Attention

  /// What queries and keys have to do with their distances.
  struct Relative {
    /// [count, heads, headSize] each.
    var keys: [Float]?
    var queries: [Float]?
    var count: Int
    /// The row of each distance, from that of the first key and the last query on.
    var rows: [Int32]
  }

  /// - Parameter bias: [heads, earlier + keys]: those of `earlier` keys before the last query's, and of
  ///   it and those after it. Nil: none.
  func attend(
    _ q: [Float], _ k: [Float], _ v: [Float], queries: Int, keys: Int, heads: Int, headSize: Int,
    bias: [Float]? = nil, relative: Relative? = nil, window: Int = 0
  ) -> [Float] {
    // Neither the gap of the last row nor unattended rows may be read. The distance of rows is a
    // multiple of 4 bytes.
    let size = unsafe set.valueSize
    let gap = 10 + heads * headSize % 2
    func guarded(_ values: [Float], _ rows: Int) -> Guarded<UInt8> {
      let used = Array(values[..<(rows * heads * headSize)])
      return Guarded(valueBytes(used, rows: rows, gap: gap * size), guarded: .after)
    }
    let (q, k, v) = (guarded(q, queries), guarded(k, keys), guarded(v, keys))
    let count = queries * heads * headSize * size
    let y = Guarded([UInt8](repeating: 0xff, count: count), guarded: .after)
    let scratchCount = unsafe set.attentionScratch(keys, headSize, relative?.count ?? 0)
    let scratch = GuardedFloats(Array(repeating: .nan, count: scratchCount), guarded: .after)
    let ld = (heads * headSize + gap) * size
    let bias = bias.map { GuardedFloats($0, guarded: .after) }
    let ldBias = (bias?.values.count ?? 0) / heads
    let relativeKeys = relative?.keys.map { guarded($0, relative!.count) }
    let relativeQueries = relative?.queries.map { guarded($0, relative!.count) }
    let rows = relative.map { Guarded($0.rows, guarded: .after) }
    let distances = unsafe RelativeInput(
      keys: relativeKeys.map { unsafe UnsafeRawPointer($0.pointer) },
      queries: relativeQueries.map { unsafe UnsafeRawPointer($0.pointer) }, ld: ld,
      rowOfDistance: rows.map { unsafe UnsafePointer($0.pointer + (queries - 1)) })
    var input = unsafe AttentionInput(
      queries: q.pointer, keys: k.pointer, values: v.pointer, ldQueries: ld, ldKeys: ld,
      queryCount: queries, keyCount: keys, headCount: heads, headSize: headSize,
      scale: 1 / Float(headSize * (relative == nil ? 1 : 3)).squareRoot(), relative: distances,
      bias: bias.map { unsafe UnsafePointer($0.pointer + (ldBias - keys)) }, ldBias: ldBias,
      window: window)
    unsafe set.attention(&input, y.pointer, heads * headSize * size, scratch.pointer)
    return floats(ofValues: y.values[...])
  }

  // MARK: Element by element

  /// A function of values in place, with a gap after each row that must stay as it was.
  func inPlace(
    _ x: [Float], rows: Int, _ body: (UnsafeMutableRawPointer, _ stride: Int) -> Void
  ) -> [Float] {
    let size = unsafe x.count / rows * set.valueSize
    let gap = 12
    let memory = Guarded(valueBytes(x, rows: rows, gap: gap), guarded: .after)
    unsafe body(memory.pointer, size + gap)
    let all = memory.values
    return (0..<rows).flatMap { row -> [Float] in
      let start = row * (size + gap)
      #expect(row == rows - 1 || all[start + size..<start + size + gap].allSatisfy { $0 == 0xff })
      return floats(ofValues: all[start..<start + size])
    }
  }
}

extension Float {
  /// The upper half of the bits, rounded to the nearest, of two the even one.
  var bfloat16: UInt16 {
    isNaN ? 0x7fc0 : UInt16((bitPattern + 0x7fff + (bitPattern >> 16 & 1)) >> 16)
  }

  init(bfloat16: UInt16) { self.init(bitPattern: UInt32(bfloat16) << 16) }
}
