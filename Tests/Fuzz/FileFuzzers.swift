import EncoderContract
import FoundationEssentials
import Glibc
import Tokenizers

@testable import Checkpoints
@testable import Models

/// A model folder in memory with one file of the fuzzer's making. Whatever it holds, the folder
/// opens or is refused, with a message that begins with its path.
///
/// `@unchecked Sendable`: libFuzzer calls from one thread.
private final class FuzzedFolder: @unchecked Sendable {
  private let path: String
  private let file: String

  /// - Parameter fixture: a folder of the checkpoints' fixtures; `make fuzz` runs at the root.
  init(_ fixture: String, file: String) {
    path = "/dev/shm/bert-fuzz-\(getpid())"
    self.file = file
    do {
      try FileManager.default.copyItem(
        atPath: "Tests/CheckpointsTests/Fixtures/micro/\(fixture)", toPath: path)
    } catch {
      fatalError("\(fixture) cannot be copied to \(path): \(error)")
    }
  }

  func open(with bytes: [UInt8]) {
    // A new file: the old one may still be open.
    do {
      try? FileManager.default.removeItem(atPath: "\(path)/\(file)")
      try Data(bytes).write(to: URL(filePath: "\(path)/\(file)"))
    } catch {
      fatalError("\(path)/\(file) cannot be written: \(error)")
    }
    do {
      let checkpoint = try Checkpoint(folder: path, verifiesChecksums: false)
      for name in checkpoint.tensorNames {
        guard let tensor = checkpoint.tensor(name), tensor.elementType.isFloat else { continue }
        let floats = try tensor.floats()
        require(floats.count == tensor.count, "\(floats.count) floats of \(tensor.count)")
      }
    } catch {
      require(error.message.hasPrefix(path), "a message without its file: \(error.message)")
    }
  }
}

private let savedModel = FuzzedFolder("saved_model", file: "saved_model.pb")
private let bundle = FuzzedFolder("original", file: "bert_model.ckpt.index")
private let zip = FuzzedFolder("pytorch/bin", file: "pytorch_model.bin")
private let legacy = FuzzedFolder("pytorch/legacy", file: "pytorch_model.bin")
private let configuration = FuzzedFolder("pytorch/weights", file: "config.json")

func fuzzSavedModel(_ bytes: [UInt8]) { savedModel.open(with: bytes) }
func fuzzBundle(_ bytes: [UInt8]) { bundle.open(with: bytes) }
func fuzzZip(_ bytes: [UInt8]) { zip.open(with: bytes) }
func fuzzLegacy(_ bytes: [UInt8]) { legacy.open(with: bytes) }
func fuzzConfiguration(_ bytes: [UInt8]) { configuration.open(with: bytes) }

/// What is read as a tokenizer gives tokens within its vocabulary and the text.
func fuzzTokenizerFile(_ bytes: [UInt8]) {
  if let tokenizer = try? Tokenizer(json: bytes) { check(tokenizer) }
}

func fuzzSentencePiece(_ bytes: [UInt8]) {
  let readers: [(SentencePieceFile.Reader, [SentencePieceClass])] = [
    (.transformers, [.albert(keepsAccents: false, lowercases: true), .xlmRoberta, .camembert]),
    (.transformersPiecesAlone, [.deberta(lowercases: true, splitsPunctuation: true)]),
  ]
  for (reader, classes) in readers {
    guard let file = sentencePieces(bytes, for: reader) else { continue }
    for kind in classes {
      let made = try? Tokenizer(
        pieces: file.pieces.map(SentencePiece.init), characterMap: file.characterMap, as: kind,
        unknown: file.unknownID)
      if let made { check(made) }
    }
  }
  guard let file = sentencePieces(bytes, for: .tensorFlow) else { return }
  let made = try? Tokenizer(
    tensorFlow: file.pieces.map(SentencePiece.init), characterMap: file.characterMap,
    stripsDiacritics: true, lowercases: true)
  if let made { check(made) }
}

private func sentencePieces(
  _ bytes: [UInt8], for reader: SentencePieceFile.Reader
) -> SentencePieceFile? {
  do {
    return try SentencePieceFile(FileBytes(path: "fuzz", start: 0, bytes: bytes), for: reader)
  } catch {
    require(error.message.hasPrefix("fuzz"), "a message without its file: \(error.message)")
    return nil
  }
}

private func check(_ tokenizer: Tokenizer) {
  let text = "Un café,\u{301} 中文 [SEP] ab\u{200d}c  \r\n<s>don't 123 \u{1F600}"
  guard
    let tokens = try? tokenizer.tokenize(
      .single(text), maxTokens: 1 << 20, truncation: .right, padTo: nil, withSources: true)
  else { return }
  for case .some(let source) in tokens.sources {
    require(source.bytes.upperBound <= text.utf8.count, "a source past the text")
  }
  for id in tokens.sequence.ids {
    require(tokenizer.vocabulary.token(id) != nil, "the id \(id), which no token has")
  }
}
