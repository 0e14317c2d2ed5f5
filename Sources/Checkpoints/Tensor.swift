/// A named array of numbers, in a mapped file or in memory. Row-major, the last index fastest.
///
/// `@unchecked Sendable`: the bytes are read-only, and `owner` keeps them alive.
@safe
public struct Tensor: @unchecked Sendable {
  public internal(set) var name: String
  public let elementType: ElementType
  /// The product is `count`, and fits.
  public let shape: [Int]
  /// Whether the bytes are those of the matrix's transpose: [out, in] stored as [in, out].
  let isTransposed: Bool
  /// `count * elementType.size` bytes, aligned to nothing; valid while this tensor or a copy lives.
  @unsafe public let bytes: UnsafeRawBufferPointer
  private let owner: AnyObject

  /// A tensor of a mapped file.
  ///
  /// - Precondition: the range lies inside the file and has the size that type and shape ask for;
  ///   only a matrix is transposed.
  init(
    name: String, elementType: ElementType, shape: [Int], file: MappedFile, range: Range<Int>,
    isTransposed: Bool = false
  ) {
    precondition(range.count == elementType.size(of: shape))
    precondition(!isTransposed || shape.count == 2)
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.isTransposed = isTransposed
    unsafe self.bytes = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[range])
    self.owner = file
  }

  /// The tensor without its first rows; nil if it has not so many, or is stored by columns.
  func droppingRows(_ count: Int) -> Tensor? {
    guard !isTransposed, let file = owner as? MappedFile, let rows = shape.first, count <= rows
    else { return nil }
    let rest = [rows - count] + shape.dropFirst()
    let size = rest.reduce(elementType.size, *)
    let end = unsafe bytes.baseAddress! - file.bytes.baseAddress! + bytes.count
    return Tensor(
      name: name, elementType: elementType, shape: rest, file: file, range: end - size..<end)
  }

  /// A float32 tensor in memory: what a format makes that stores its weights another way round.
  ///
  /// - Precondition: as many values as the shape asks for.
  public init(name: String, shape: [Int], floats: [Float]) {
    precondition(floats.count == shape.reduce(1, *), "the shape has a place for each value")
    let memory = Memory(floats)
    self.name = name
    self.elementType = .float32
    self.shape = shape
    isTransposed = false
    unsafe self.bytes = unsafe UnsafeRawBufferPointer(memory.values)
    self.owner = memory
  }

  /// The file that it lies in; "" for a tensor in memory.
  var path: String { (owner as? MappedFile)?.path ?? "" }

  /// Number of elements.
  public var count: Int { unsafe bytes.count / elementType.size }

  /// Takes the tensor's pages out of this process's resident memory, where it lies in a file.
  /// It can still be read.
  public func adviseDone() {
    guard let file = owner as? MappedFile, unsafe !bytes.isEmpty else { return }
    let start = unsafe bytes.baseAddress! - file.bytes.baseAddress!
    file.adviseDone(start..<(start + count * elementType.size))
  }

  @safe
  private final class Memory {
    let values: UnsafeMutableBufferPointer<Float>

    init(_ floats: [Float]) {
      unsafe values = .allocate(capacity: floats.count)
      _ = unsafe values.initialize(from: floats)
    }

    deinit { unsafe values.deallocate() }
  }
}
