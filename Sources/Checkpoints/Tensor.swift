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

  /// The tensor without its first rows; nil if it has not so many, or is stored by columns.
  func droppingRows(_ count: Int) -> Tensor? {
    guard !isTransposed, case .file(let file, let offset) = storage, let rows = shape.first,
      count <= rows
    else { return nil }
    let rest = [rows - count] + shape.dropFirst()
    // No larger than the tensor itself, which fits.
    guard let size = elementType.size(of: rest) else { return nil }
    let end = offset + self.count * elementType.size
    return Tensor(
      name: name, elementType: elementType, shape: rest, file: file, range: end - size..<end)
  }

  /// The file that it lies in; "" for a tensor in memory.
  var path: String {
    if case .file(let file, _) = storage { file.path } else { "" }
  }
}
