import CKernels

/// A linear layer by every kernel set that this CPU has, against its oracle, plain C.
///
/// The first four bytes are the precision, the rows, the inputs and the outputs; then come numbers.
func fuzzKernels(_ bytes: [UInt8]) {
  guard bytes.count >= 4 else { return }
  let precision = PrecisionKind(Int32(bytes[0] % 3))
  var numbers = Numbers(bytes: bytes)
  let rows = Int(bytes[1]) % 31 + 1
  // More than have one scale.
  let inputs = Int(bytes[2]) + 1
  let outputs = Int(bytes[3]) % 70 + 1
  let x = (0..<rows * inputs).map { _ in numbers.next() }
  let weights = (0..<outputs * inputs).map { _ in numbers.next() }
  let bias = (0..<outputs).map { _ in numbers.next() }
  var index = 0
  while let set = unsafe kernelSet(index) {
    index += 1
    guard unsafe set.pointee.precision == precision, unsafe set.pointee.isSupported() else {
      continue
    }
    let found = unsafe product(set.pointee, x, weights, bias, rows: rows)
    let expected = unsafe product(oracleOf(set).pointee, x, weights, bias, rows: rows)
    for (place, pair) in zip(found, expected).enumerated() {
      let (row, column) = place.quotientAndRemainder(dividingBy: outputs)
      // The sum of what is added up bounds every rounding on the way.
      let size = (0..<inputs).reduce(abs(bias[column])) {
        $0 + abs(x[row * inputs + $1] * weights[column * inputs + $1])
      }
      let room = (bytes[0] % 3 == 2 ? 1e-3 : 1e-5) * (size + 1e-30)
      require(
        abs(pair.0 - pair.1) <= room,
        unsafe "\(String(cString: set.pointee.name)) gives \(pair.0) at \(row), \(column), not \(pair.1)"
      )
    }
  }
}

/// Numbers out of bytes again and again, of sizes from 2^-16 to 2^15 and zero.
private struct Numbers {
  let bytes: [UInt8]
  private var position = 4

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func next() -> Float {
    guard bytes.count > 4 else { return 1 }
    if position >= bytes.count { position = 4 }
    defer { position += 1 }
    let byte = bytes[position]
    if byte == 0 { return 0 }
    let size = Float(sign: .plus, exponent: Int(byte >> 2 & 31) - 16, significand: 1)
    let significand = 1 + Float((position * 37) % 128) / 128
    return byte & 1 == 0 ? size * significand : -size * significand
  }
}

private func product(
  _ set: KernelSet, _ x: [Float], _ weights: [Float], _ bias: [Float], rows: Int
) -> [Float] {
  let outputs = bias.count
  let inputs = weights.count / outputs
  let panels = unsafe (outputs + set.panelColumns - 1) / set.panelColumns
  let packed = unsafe UnsafeMutableRawPointer.allocate(
    byteCount: panels * set.panelSize(inputs), alignment: Int(KernelAlignment))
  defer { unsafe packed.deallocate() }
  unsafe set.pack(weights, outputs, inputs, 0, panels, packed)
  var activation = Activation()
  unsafe set.prepareActivation(ActivationNone, &activation)

  let valueSize = unsafe set.valueSize
  var values = [UInt8](repeating: 0, count: rows * inputs * valueSize)
  for (index, number) in x.enumerated() {
    let bits = number.bitPattern
    let place = index * valueSize
    // The upper half: the numbers have no more digits than bfloat16.
    for byte in 0..<valueSize {
      values[place + byte] = UInt8(truncatingIfNeeded: bits >> UInt32(8 * (4 - valueSize + byte)))
    }
  }
  let operandSize = unsafe set.operandSize(inputs)
  var operands = values
  if let makeOperands = unsafe set.makeOperands {
    operands = [UInt8](repeating: 0, count: rows * operandSize)
    unsafe makeOperands(rows, inputs, values, inputs * valueSize, &operands, operandSize)
  }
  var y = [Float](repeating: .nan, count: rows * outputs)
  unsafe bias.withUnsafeBufferPointer { bias in
    unsafe withUnsafePointer(to: &activation) { activation in
      var layer = unsafe LinearLayer(
        weights: UnsafeRawPointer(packed), bias: bias.baseAddress!, inputs: inputs,
        outputs: outputs, activation: activation, givesValues: false)
      unsafe set.product(
        &layer, 0, panels, rows, operands, operandSize, nil, 0, &y, outputs * 4)
    }
  }
  return y
}
