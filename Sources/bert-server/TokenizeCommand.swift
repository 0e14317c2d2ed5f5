import ArgumentParser
import Checkpoints
import EncoderContract
import Glibc
import Models
import Tokenizers

/// Tokens, ids and offsets of a text.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Prints the tokens of a text: id, token, byte range.")

  @Option(help: "Model folder.")
  var model: String

  @Option(help: "Maximum tokens, special tokens included. Default: the limit of the model folder.")
  var maxTokens: Int?

  @OptionGroup var letterCase: LetterCaseFlag

  @Argument(help: "The text. Default: standard input.")
  var text: String?

  @Argument(help: "The second text of a pair.")
  var second: String?

  func run() throws {
    do {
      let folder = try ModelFiles(model, lowercases: letterCase.value.lowercases)
      let tokenizer = try folder.tokenizer()
      let input = try text ?? Self.standardInput()
      let positions = folder.checkpoint.configuration.positionCount
      if let maxTokens, !(2...positions).contains(maxTokens) {
        throw ValidationError("--max-tokens is 2 to \(positions)")
      }
      let tokenized = try tokenizer.tokenize(
        second.map { .pair(input, $0) } ?? .single(input),
        maxTokens: maxTokens ?? folder.maxTokens, withSources: true)
      for (id, source) in zip(tokenized.sequence.ids, tokenized.sources) {
        let place = source.map { "\($0.bytes.lowerBound)..<\($0.bytes.upperBound)" } ?? "-"
        print("\(id)\t\(tokenizer.vocabulary.token(id) ?? "")\t\(place)")
      }
      if tokenized.truncated {
        printError("the text was truncated to \(tokenized.sequence.count) tokens")
      }
    } catch let error as ValidationError {
      throw error
    } catch {
      printError("\(error)")
      throw ExitCode(1)
    }
  }

  private static func standardInput() throws -> String {
    var bytes: [UInt8] = []
    var piece: [UInt8]
    repeat {
      piece = unsafe [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
        count = unsafe max(0, read(STDIN_FILENO, buffer.baseAddress, buffer.count))
      }
      bytes += piece
    } while !piece.isEmpty
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw LoadingError("the text on standard input is not valid UTF-8")
    }
    return text
  }
}
