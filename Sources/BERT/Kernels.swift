import CKernels

/// A kernel set of `CKernels`.
///
/// `@unchecked Sendable`: nothing changes after `init`, nor do the tables of functions.
@safe
struct Kernels: @unchecked Sendable {
  let name: String
  let precision: Encoder.Precision
  let tileRows: Int
  let panelColumns: Int
  /// Whether a product has work to do for each panel, whatever the rows: see `KernelSet`.
  let widensPanels: Bool
  /// Bytes of what lies between the products.
  let valueSize: Int
  /// The functions.
  @unsafe let set: KernelSet

  private init(_ set: KernelSet) {
    unsafe self.set = set
    name = unsafe String(cString: set.name)
    precision =
      switch unsafe set.precision {
      case PrecisionBfloat16: .bfloat16
      case PrecisionInt8: .int8
      default: .float32
      }
    unsafe tileRows = set.tileRows
    unsafe panelColumns = set.panelColumns
    unsafe widensPanels = set.widensPanels
    unsafe valueSize = set.valueSize
  }

  /// Those that this CPU can run, in order of preference: see `kernelSet` in `CKernels.h`.
  private static let supported: [Kernels] = {
    var result: [Kernels] = []
    var index = 0
    while let set = unsafe kernelSet(index) {
      if unsafe set.pointee.isSupported() { unsafe result.append(Kernels(set.pointee)) }
      index += 1
    }
    return result
  }()

  static func supported(_ precision: Encoder.Precision) -> [Kernels] {
    supported.filter { $0.precision == precision }
  }

  /// The one of that name, or the first.
  static func named(_ name: String?, _ precision: Encoder.Precision) throws(BERTError) -> Kernels {
    let kernels = supported(precision)
    guard let found = kernels.first(where: { name == nil || $0.name == name }) else {
      throw .kernels(name: name ?? "", precision, available: kernels.map(\.name))
    }
    return found
  }

  /// Those of float32 beside these: of the same set, or else the first there are, for some sets have
  /// lower precisions alone.
  func float32() throws(BERTError) -> Kernels {
    if let own = Self.supported(.float32).first(where: { $0.name == name }) { return own }
    return try Self.named(nil, .float32)
  }

  /// Panels of a layer with so many outputs.
  func panelCount(outputs: Int) -> Int { (outputs + panelColumns - 1) / panelColumns }

  /// Floats that the packed weights of a layer take.
  func packedCount(outputs: Int, inputs: Int) -> Int {
    unsafe panelCount(outputs: outputs) * set.panelSize(inputs) / MemoryLayout<Float>.size
  }

  /// A row's value at an index.
  func value(_ row: UnsafeRawPointer, _ index: Int) -> Float {
    if valueSize == MemoryLayout<Float>.size {
      return unsafe row.load(fromByteOffset: 4 * index, as: Float.self)
    }
    let upperHalf = unsafe row.load(fromByteOffset: 2 * index, as: UInt16.self)
    return Float(bitPattern: UInt32(upperHalf) << 16)
  }

  /// Rounded to the nearest, of two the even one; NaN stays NaN.
  func setValue(_ row: UnsafeMutableRawPointer, _ index: Int, _ value: Float) {
    if valueSize == MemoryLayout<Float>.size {
      return unsafe row.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
    }
    let bits = value.bitPattern
    let rounded = value.isNaN ? 0x7fc0 : (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16
    unsafe row.storeBytes(
      of: UInt16(truncatingIfNeeded: rounded), toByteOffset: 2 * index, as: UInt16.self)
  }

  /// Bytes of a row as a product reads it.
  func operandSize(_ inputs: Int) -> Int { unsafe set.operandSize(inputs) }
}
