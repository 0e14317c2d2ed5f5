/// A named array of numbers, in a file or in memory. Row-major, the last index fastest.
public struct Tensor: Sendable {
  public internal(set) var name: String
  public let elementType: ElementType
  /// The product is `count`, and fits.
  public let shape: [Int]
  /// Number of elements.
  public let count: Int
  /// Whether the values are stored as those of the matrix's transpose: [out, in] as [in, out].
  let isTransposed: Bool
  let storage: Storage

  enum Storage: Sendable {
    /// From the offset on, `count * elementType.size` bytes.
    case file(ModelFile, offset: Int)
    case memory([Float])
    /// Rows of another tensor, in an order of their own.
    indirect case rows(Tensor, [Int])
  }

  /// A tensor of a file.
  ///
  /// - Precondition: the range lies inside the file and has the size that type and shape ask for;
  ///   only a matrix is transposed.
  init(
    name: String, elementType: ElementType, shape: [Int], file: ModelFile, range: Range<Int>,
    isTransposed: Bool = false
  ) {
    precondition(range.count == elementType.size(of: shape) && range.upperBound <= file.size)
    precondition(!isTransposed || shape.count == 2)
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.isTransposed = isTransposed
    count = range.count / elementType.size
    storage = .file(file, offset: range.lowerBound)
  }

  /// A float32 tensor in memory: what a format lacks and the encoder needs.
  ///
  /// - Precondition: as many values as the shape asks for.
  public init(name: String, shape: [Int], floats: [Float]) {
    precondition(floats.count == shape.reduce(1, *), "the shape has a place for each value")
    self.name = name
    self.elementType = .float32
    self.shape = shape
    isTransposed = false
    count = floats.count
    storage = .memory(floats)
  }

  /// Some rows of the tensor; nil if it has not so many, or is stored by columns.
  public func rows(_ range: Range<Int>) -> Tensor? {
    guard !isTransposed, let rows = shape.first, 0 <= range.lowerBound, range.upperBound <= rows
    else { return nil }
    let part = [range.count] + shape.dropFirst()
    // Neither is larger than the tensor itself, which fits.
    let rowCount = rows == 0 ? 0 : count / rows
    switch storage {
    case .file(let file, let offset):
      guard let size = elementType.size(of: part) else { return nil }
      let start = offset + range.lowerBound * rowCount * elementType.size
      return Tensor(
        name: name, elementType: elementType, shape: part, file: file, range: start..<start + size)
    case .memory(let floats):
      let places = range.lowerBound * rowCount..<range.upperBound * rowCount
      return Tensor(name: name, shape: part, floats: Array(floats[places]))
    case .rows(let base, let order): return base.rows(Array(order[range]))
    }
  }

  /// Some rows in any order; nil if one is not there, or the tensor is stored by columns.
  func rows(_ order: [Int]) -> Tensor? {
    guard !isTransposed, let rows = shape.first, order.allSatisfy((0..<rows).contains) else {
      return nil
    }
    return Tensor(rows: order, of: self)
  }

  /// - Precondition: the rows are there, and not stored by columns.
  private init(rows order: [Int], of base: Tensor) {
    name = base.name
    elementType = base.elementType
    shape = [order.count] + base.shape.dropFirst()
    isTransposed = false
    count = order.isEmpty ? 0 : base.count / base.shape[0] * order.count
    storage = .rows(base, order)
  }

  /// The file that it lies in; "" for a tensor in memory.
  var path: String {
    switch storage {
    case .file(let file, _): file.path
    case .memory: ""
    case .rows(let base, _): base.path
    }
  }
}
