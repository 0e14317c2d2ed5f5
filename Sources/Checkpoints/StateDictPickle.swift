/// Reads the pickle of a PyTorch state dictionary: names and the tensors that they stand for.
///
/// A pickle is a program. This reader knows the instructions that a dictionary of tensors needs,
/// and the few functions that PyTorch names in one; it imports and runs nothing. Whatever else a
/// pickle asks for is refused by name.
///
/// Values hold their containers by number, so that neither depth nor a cycle costs anything.
/// Source: CPython's `pickletools.py`; PyTorch's `torch/_utils.py`, `torch/serialization.py`.
struct StateDictPickle {
  struct Storage {
    var type: ElementType
    var key: String
  }

  struct Tensor {
    var storage: Storage
    /// In elements.
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  enum Value {
    case none
    case boolean(Bool)
    case integer(Int)
    case text(String)
    case global(Global)
    case storage(Int)
    case tensor(Int)
    /// A tuple or a list.
    case sequence(Int)
    /// A dictionary, keys and values by turns.
    case dictionary(Int)
    /// A number that no tensor needs.
    case other
  }

  enum Global: Equatable {
    case orderedDictionary, rebuildTensor, rebuildParameter
    case storage(ElementType)
  }

  /// BERT-large takes 20,000.
  private static let maximumStepCount = 1 << 18

  private(set) var reader: ByteReader
  private var stack: [Value] = []
  private var marks: [Int] = []
  private var memo: [UInt64: Value] = [:]
  private var containers: [[Value]] = []
  private var storages: [Storage] = []
  private var tensors: [Tensor] = []

  init(_ reader: ByteReader) { self.reader = reader }

  /// The tensors of a pickled dictionary, in its order.
  mutating func stateDictionary() throws(CheckpointError) -> [(name: String, tensor: Tensor)] {
    guard case .dictionary(let number) = try value() else {
      throw reader.malformed("the pickle is no dictionary of tensors")
    }
    let members = containers[number]
    var result: [(name: String, tensor: Tensor)] = []
    for index in stride(from: 0, to: members.count, by: 2) {
      guard case .text(let name) = members[index] else {
        throw reader.malformed("a key of the dictionary is no text")
      }
      guard case .tensor(let tensor) = members[index + 1] else {
        throw .unsupported(
          path: reader.file.path, reason: "\"\(name)\" is no tensor; a state dictionary is needed")
      }
      result.append((name, tensors[tensor]))
    }
    return result
  }

  /// A pickled list of texts.
  mutating func texts() throws(CheckpointError) -> [String] {
    guard case .sequence(let number) = try value() else {
      throw reader.malformed("the pickle is no list")
    }
    var result: [String] = []
    for member in containers[number] { result.append(try text(member)) }
    return result
  }

  /// Runs the program to its end, and no byte further.
  mutating func value() throws(CheckpointError) -> Value {
    for _ in 0..<Self.maximumStepCount {
      let position = reader.offset
      let instruction = try reader.byte()
      if instruction == UInt8(ascii: ".") { return try pop() }
      try run(instruction, at: position)
    }
    throw reader.malformed("a pickle of more than \(Self.maximumStepCount) instructions")
  }

  private mutating func run(
    _ instruction: UInt8, at position: Int
  ) throws(CheckpointError) {
    switch instruction {
    case 0x80: _ = try reader.byte()  // PROTO
    case 0x95: _ = try reader.take(8)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)

    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.boolean(true))
    case 0x89: stack.append(.boolean(false))
    case UInt8(ascii: "K"): try appendInteger(1, isSigned: false)
    case UInt8(ascii: "M"): try appendInteger(2, isSigned: false)
    case UInt8(ascii: "J"): try appendInteger(4, isSigned: true)
    case 0x8a: try appendLong(Int(reader.byte()))
    case UInt8(ascii: "G"):
      _ = try reader.take(8)
      stack.append(.other)

    case UInt8(ascii: "X"): try appendText(reader.count(bytes: 4))
    case 0x8c, UInt8(ascii: "U"): try appendText(reader.count(bytes: 1))

    case UInt8(ascii: ")"): append([], as: Value.sequence)
    case UInt8(ascii: "]"): append([], as: Value.sequence)
    case 0x85...0x87: append(try pop(Int(instruction) - 0x84), as: Value.sequence)
    case UInt8(ascii: "t"): append(try popToMark(), as: Value.sequence)
    case UInt8(ascii: "a"): try extend(with: pop(1))
    case UInt8(ascii: "e"): try extend(with: popToMark())
    case UInt8(ascii: "}"): append([], as: Value.dictionary)
    case UInt8(ascii: "s"): try extend(with: pop(2))
    case UInt8(ascii: "u"): try extend(with: popToMark())

    case UInt8(ascii: "q"): memo[try reader.number(bytes: 1).bits] = try top()
    case UInt8(ascii: "r"): memo[try reader.number(bytes: 4).bits] = try top()
    case 0x94: memo[UInt64(memo.count)] = try top()
    case UInt8(ascii: "h"): try appendMemo(reader.number(bytes: 1))
    case UInt8(ascii: "j"): try appendMemo(reader.number(bytes: 4))

    case UInt8(ascii: "c"): try appendGlobal(line(), line())
    case 0x93:
      let name = try text(pop())
      try appendGlobal(text(pop()), name)
    case UInt8(ascii: "Q"): try appendStorage(sequence(pop()))
    case UInt8(ascii: "R"):
      let arguments = try sequence(pop())
      stack.append(try call(pop(), arguments))
    case UInt8(ascii: "b"):
      // PyTorch hangs the modules' versions on the dictionary.
      _ = try pop()
      guard case .dictionary = try top() else {
        throw reader.malformed("a state for what is no dictionary", at: position)
      }
    default:
      throw .unsupported(
        path: reader.file.path,
        reason:
          "byte \(position): the pickle instruction 0x\(String(instruction, radix: 16)) is none "
          + "that a dictionary of tensors needs; it is not run")
    }
  }

  // MARK: Functions

  private mutating func appendGlobal(_ module: String, _ name: String) throws(CheckpointError) {
    let path = "\(module).\(name)"
    let global: Global
    switch path {
    case "collections.OrderedDict": global = .orderedDictionary
    case "torch._utils._rebuild_tensor_v2": global = .rebuildTensor
    case "torch._utils._rebuild_parameter": global = .rebuildParameter
    default:
      guard module == "torch", let type = ElementType(torchStorage: name) else {
        throw .unsupported(
          path: reader.file.path,
          reason: "the pickle asks for \(path.prefix(100)); only tensors are read, nothing is run")
      }
      global = .storage(type)
    }
    stack.append(.global(global))
  }

  private mutating func call(
    _ function: Value, _ arguments: [Value]
  ) throws(CheckpointError) -> Value {
    guard case .global(let function) = function else {
      throw reader.malformed("a call of what is no function")
    }
    switch function {
    case .orderedDictionary where arguments.isEmpty:
      containers.append([])
      return .dictionary(containers.count - 1)
    case .rebuildTensor where arguments.count >= 4:
      guard case .storage(let storage) = arguments[0] else { break }
      tensors.append(
        Tensor(
          storage: storages[storage], offset: try integer(arguments[1]),
          shape: try integers(arguments[2]), strides: try integers(arguments[3])))
      return .tensor(tensors.count - 1)
    case .rebuildParameter:
      guard case .tensor? = arguments.first else { break }
      return arguments[0]
    default: break
    }
    throw reader.malformed("a call of \(function) with other arguments than PyTorch's")
  }

  /// `("storage", type, key, device, count)` is how PyTorch names a storage.
  private mutating func appendStorage(_ parts: [Value]) throws(CheckpointError) {
    guard parts.count >= 5, case .text("storage") = parts[0],
      case .global(.storage(let type)) = parts[1]
    else { throw reader.malformed("a reference to what is no storage") }
    // Only the first releases had views of storages.
    if parts.count > 5, case .sequence = parts[5] {
      throw .unsupported(
        path: reader.file.path, reason: "a storage that is a view of another one is not supported")
    }
    storages.append(Storage(type: type, key: try text(parts[2])))
    stack.append(.storage(storages.count - 1))
  }

  // MARK: Values

  private mutating func append(_ members: [Value], as kind: (Int) -> Value) {
    containers.append(members)
    stack.append(kind(containers.count - 1))
  }

  private mutating func extend(with members: [Value]) throws(CheckpointError) {
    switch try top() {
    case .sequence(let number): containers[number] += members
    case .dictionary(let number) where members.count % 2 == 0: containers[number] += members
    default: throw reader.malformed("members for what is no list or dictionary")
    }
  }

  /// An integer of any size; one of more than 64 bits is of no use to a tensor.
  private mutating func appendLong(_ size: Int) throws(CheckpointError) {
    guard size <= 8 else {
      _ = try reader.take(size)
      return stack.append(.other)
    }
    try appendInteger(size, isSigned: true)
  }

  private mutating func appendInteger(_ size: Int, isSigned: Bool) throws(CheckpointError) {
    let bits = try reader.number(bytes: size).bits
    // Up and down again: the highest bit of the last byte is the sign. Shifts by 64 give zero.
    let unused = 64 - 8 * size
    let value = Int64(bitPattern: bits << unused) >> unused
    stack.append(.integer(isSigned ? Int(value) : Int(truncatingIfNeeded: bits)))
  }

  private mutating func appendText(_ size: Int) throws(CheckpointError) {
    stack.append(.text(try reader.name(size)))
  }

  private mutating func appendMemo(_ number: FileNumber) throws(CheckpointError) {
    guard let value = memo[number.bits] else {
      throw reader.malformed("nothing was put at \(number)")
    }
    stack.append(value)
  }

  private mutating func line() throws(CheckpointError) -> String {
    let start = reader.offset
    while try reader.byte() != UInt8(ascii: "\n") {}
    return try ProtobufMessage.name(reader.file, start..<reader.offset - 1)
  }

  private func top() throws(CheckpointError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.last else {
      throw reader.malformed("the pickle's stack is empty")
    }
    return value
  }

  private mutating func pop() throws(CheckpointError) -> Value {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func pop(_ count: Int) throws(CheckpointError) -> [Value] {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw reader.malformed("the pickle's stack is empty")
    }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(CheckpointError) -> [Value] {
    guard let mark = marks.popLast() else { throw reader.malformed("no mark was set") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func sequence(_ value: Value) throws(CheckpointError) -> [Value] {
    guard case .sequence(let number) = value else { throw reader.malformed("no tuple") }
    return containers[number]
  }

  private func text(_ value: Value) throws(CheckpointError) -> String {
    guard case .text(let text) = value else { throw reader.malformed("no text") }
    return text
  }

  private func integer(_ value: Value) throws(CheckpointError) -> Int {
    guard case .integer(let number) = value, number >= 0 else {
      throw reader.malformed("no number from 0 up")
    }
    return number
  }

  private func integers(_ value: Value) throws(CheckpointError) -> [Int] {
    let members = try sequence(value)
    guard members.count <= 8 else { throw reader.malformed("more than 8 dimensions") }
    var result: [Int] = []
    for member in members { result.append(try integer(member)) }
    return result
  }
}

extension ElementType {
  /// The type of the elements of `torch.FloatStorage` and its like.
  fileprivate init?(torchStorage name: String) {
    switch name {
    case "FloatStorage": self = .float32
    case "HalfStorage": self = .float16
    case "BFloat16Storage": self = .bfloat16
    case "DoubleStorage": self = .float64
    case "LongStorage": self = .int64
    case "IntStorage": self = .int32
    case "ShortStorage": self = .int16
    case "CharStorage": self = .int8
    case "ByteStorage": self = .uint8
    case "BoolStorage": self = .bool
    default: return nil
    }
  }
}
