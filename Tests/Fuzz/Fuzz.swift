import Glibc

/// One parser under libFuzzer (LLVM, "libFuzzer – a library for coverage-guided fuzz testing"),
/// chosen by the environment variable FUZZER; `make fuzz` runs them all.
///
/// A fuzzer takes any bytes and ends the process where something that must hold does not.
private let fuzzers: [String: @Sendable ([UInt8]) -> Void] = [
  "connection": fuzzConnection, "target": fuzzTarget, "json": fuzzJSON, "base64": fuzzBase64,
  "encode-body": fuzzEncodeBody, "infer-body": fuzzInferBody, "predict-body": fuzzPredictBody,
  "embeddings-body": fuzzEmbeddingsBody, "rerank-body": fuzzRerankBody,
  "float": fuzzFloat, "safetensors": fuzzSafetensors,
  "tokenizer": fuzzTokenizer, "tokenizer-file": fuzzTokenizerFile,
  "sentencepiece": fuzzSentencePiece, "gzip": fuzzGzip,
  "saved-model": fuzzSavedModel, "bundle": fuzzBundle, "zip": fuzzZip, "pickle": fuzzLegacy,
  "configuration": fuzzConfiguration, "kernels": fuzzKernels, "answer": fuzzAnswer,
]

let fuzzerName = unsafe getenv("FUZZER").map { unsafe String(cString: $0) } ?? ""

private let chosen: @Sendable ([UInt8]) -> Void = {
  guard let fuzzer = fuzzers[fuzzerName] else {
    print("FUZZER is one of \(fuzzers.keys.sorted().joined(separator: " "))")
    exit(2)
  }
  return fuzzer
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  // libFuzzer owns the bytes for the time of the call; they are copied.
  chosen(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// What must hold, in release builds too.
func require(_ isTrue: Bool, _ message: @autoclosure () -> String) {
  if !isTrue { fatalError(message()) }
}
