import BERT
import Checkpoints
import Foundation
import OutputMap
import WordPiece

let (folder, text) = (CommandLine.arguments[1], CommandLine.arguments[2])
let file = try Data(contentsOf: URL(filePath: "\(folder)/tokenizer.json"))
let tokenizer = try Tokenizer(json: Array(file), padding: "[PAD]")
let encoder = try Encoder(Checkpoint(folder: folder), lanes: ComputeLanes(count: 2))
let tokens = try tokenizer.tokenize(.single(text), maxTokens: 256)
var batch = PackedBatch()
batch.append(tokens.sequence, for: OutputSelection(pooled: true))
print(try encoder.encodeAndWait(batch)[0].pooled)
