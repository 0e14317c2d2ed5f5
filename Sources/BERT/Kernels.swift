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
    unsafe valueSize = set.valueSize
  }

  /// Those that this CPU can run, the fastest of a precision first.
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

  /// The one of that name, or the fastest.
  static func named(_ name: String?, _ precision: Encoder.Precision) throws(BERTError) -> Kernels {
    let kernels = supported(precision)
    guard let found = kernels.first(where: { name == nil || $0.name == name }) else {
      throw .kernels(name: name ?? "", precision, available: kernels.map(\.name))
    }
    return found
  }

  /// Panels of a layer with so many outputs.
  func panelCount(outputs: Int) -> Int { (outputs + panelColumns - 1) / panelColumns }

  /// Floats that the packed weights of a layer take.
  func packedCount(outputs: Int, inputs: Int) -> Int {
    unsafe panelCount(outputs: outputs) * set.panelSize(inputs) / MemoryLayout<Float>.size
  }

  /// Bytes of a row as a product reads it.
  func operandSize(_ inputs: Int) -> Int { unsafe set.operandSize(inputs) }
}
