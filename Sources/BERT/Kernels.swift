import CKernels

/// A kernel set of `CKernels`: constant tables of functions, so any thread may use them.
@safe
struct Kernels: @unchecked Sendable {
  let name: String
  let tileRows: Int
  let panelColumns: Int
  /// The functions.
  @unsafe let set: KernelSet

  private init(_ set: KernelSet) {
    unsafe self.set = set
    name = unsafe String(cString: set.name)
    unsafe tileRows = set.tileRows
    unsafe panelColumns = set.panelColumns
  }

  /// Those that this CPU can run, fastest first.
  static let supported: [Kernels] = {
    var result: [Kernels] = []
    var index = 0
    while let set = unsafe kernelSet(index) {
      if unsafe set.pointee.isSupported() { unsafe result.append(Kernels(set.pointee)) }
      index += 1
    }
    return result
  }()

  /// The one of that name, or the fastest.
  static func named(_ name: String?) throws(BERTError) -> Kernels {
    guard let found = supported.first(where: { name == nil || $0.name == name }) else {
      throw .kernels(name: name ?? "", available: supported.map(\.name))
    }
    return found
  }

  /// Panels of a layer with so many outputs.
  func panelCount(outputs: Int) -> Int { (outputs + panelColumns - 1) / panelColumns }
}
