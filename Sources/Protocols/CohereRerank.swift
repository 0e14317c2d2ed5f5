import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// Reranking in Cohere's shape, which Jina, vLLM and infinity have too: `query`, `documents`, `top_n`,
/// `relevance_score`. Members that are not known are passed over, and named in the answer.
struct CohereRerank {
  let query: String
  let documents: [String]
  /// Documents of the answer, the most relevant ones.
  let count: Int
  let returnsDocuments: Bool
  let isRaw: Bool
  let truncation: Truncation
  let ignored: MemberNames

  static let members: [RawText] = [
    "model", "query", "documents", "top_n", "top_k", "return_documents", "truncation",
    "raw_scores", "rank_fields",
  ]

  init(_ body: BodyObject, _ limits: BodyLimits) throws(ServiceError) {
    var ignored = MemberNames()
    ignored.add(body, besides: Self.members)
    self.ignored = ignored
    guard case .string(let query) = try body.required("query") else {
      throw body.error("query", "'query' is a text")
    }
    self.query = query
    guard case .array(let items) = try body.required("documents") else {
      throw body.error("documents", "'documents' is a list of texts, or of objects with a 'text'")
    }
    try limits.check(texts: items.count)
    var documents: [String] = []
    documents.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      switch item {
      case .string(let text): documents.append(text)
      case .object(let members):
        guard case .string(let text)? = members["text"] else { fallthrough }
        documents.append(text)
      default:
        throw body.error(
          "documents",
          "item \(index) of 'documents' is \(item.kind); it is a text, or an object with a 'text'")
      }
    }
    self.documents = documents
    var most = try body.integer("top_n", in: 1...(1 << 31))
    if most == nil { most = try body.integer("top_k", in: 1...(1 << 31)) }
    count = min(most ?? .max, documents.count)
    returnsDocuments = try body.boolean("return_documents", default: false)
    isRaw = try body.boolean("raw_scores", default: false)
    truncation = try body.boolean("truncation", default: true) ? Truncation.right : .error
    if let fields = body["rank_fields"], fields != ["text"] {
      throw body.error("rank_fields", "'rank_fields' is [\"text\"]: the text alone is ranked")
    }
  }

  func job(_ model: ServedModel) throws(ServiceError) -> MapJob {
    let texts = returnsDocuments ? documents : []
    return try model.rankingJob(
      query: query, documents: documents, score: isRaw ? nil : .sigmoid, truncation: truncation,
      echoedBytes: 48 * count + texts.reduce(0) { $0 + 32 + 2 * $1.utf8.count }
    ) { [count] answer, ranks in
      var writer = JSONWriter()
      writer.beginObject()
      writer.key("model")
      writer.string(answer.model.name)
      writer.key("results")
      writer.beginArray()
      for rank in ranks.prefix(count) {
        writer.beginObject()
        writer.key("index")
        writer.integer(rank.index)
        writer.key("relevance_score")
        writer.float(rank.score)
        if !texts.isEmpty {
          writer.key("document")
          writer.beginObject()
          writer.key("text")
          writer.string(texts[rank.index])
          writer.endObject()
        }
        writer.endObject()
      }
      writer.endArray()
      writer.key("usage")
      writer.beginObject()
      for name in ["prompt_tokens", "total_tokens"] {
        writer.key(name)
        writer.integer(answer.tokenCount)
      }
      writer.endObject()
      writer.endObject()
      return .json(writer.bytes)
    }
  }
}
