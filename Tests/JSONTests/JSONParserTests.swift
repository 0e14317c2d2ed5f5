import Synchronization
import TestSupport
import Testing
import UntrustedInput

@testable import JSON

struct JSONParserTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

  @Test func readsEveryKindOfValue() throws {
    #expect(try parse(" \t\r\n null ") == .null)
    #expect(try parse("true") == .boolean(true))
    #expect(try parse("false") == .boolean(false))
    #expect(try parse("\"\"") == .string(""))
    #expect(try parse("[]") == .array([]))
    #expect(try parse("[ ]") == .array([]))
    #expect(try parse("{}") == .object([:]))
    #expect(
      try parse("[1 , \"a\",{ \"b\" : [ null ] }]")
        == .array([
          .integer(1), .string("a"), .object(["b": .array([.null])]),
        ]))
    #expect(try parse("{\"a\":1,\"a\":2}") == .object(["a": .integer(2)]))
    #expect(try parse("{\"\":0}")[""] == .integer(0))
    #expect(try parse("{\"a\":0}")["b"] == nil)
    #expect(try parse("[]")["b"] == nil)
  }

  /// Accepted by RFC 8259 (JSONTestSuite's y_ kind).
  @Test(arguments: [
    "[[]   ]", "[\"\"]", "[]", "[\"a\"]", "[false]", "[null, 1, \"1\", {}]", "[null]", "[1\n]",
    " [1]", "[1,null,null,null,2]", "[2] ", "[123e65]", "[0e+1]", "[0e1]", "[ 4]", "[-0]",
    "[-123]", "[-1]", "[-0.0]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]",
    "[1e+2]", "[123]", "[123.456789]", "[-0.00000000000000000000000000000000000000000000000000001]",
    "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", "{\"asd\":\"sdf\"}", "{\"a\":\"b\",\"a\":\"c\"}",
    "{}", "{\"\":0}", "{\"foo\\u0000bar\": 42}", "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
    "{\"x\":[{\"id\": \"xxx\"}], \"id\": \"xxx\"}", "{\"a\":[]}", "{\n\"a\": \"b\"\n}",
    "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\\u0000\"]", "[\"\\\"\"]", "[\"a/*b*/c/*d//e\"]",
    "[\"\\\\a\"]", "[\"\\\\n\"]", "[\"\\u0012\"]", "[\"\\uFFFF\"]", "[\"asd\"]", "[ \"asd\"]",
    "[\"\\uDBFF\\uDFFF\"]", "[\"new\\u00A0line\"]", "[\"\u{10ffff}\"]", "[\"\u{ffff}\"]",
    "[\"\\u0000\"]", "[\"\\u002c\"]", "[\"π\"]", "[\"asd \"]", "\" \"", "[\"\\uD834\\uDd1e\"]",
    "[\"\\u0821\"]", "[\"\\u0123\"]", "[\"\u{2028}\"]", "[\"\u{2029}\"]", "[\"\\u0061\\u30af\"]",
    "[\"new\\u000Aline\"]", "[\"\u{7f}\"]", "[\"\\uA66D\"]", "[\"\\u005C\"]", "[\"⍂㈴⍂\"]",
    "[\"\\u200B\"]", "[\"\\u2064\"]", "[\"\\uFDD0\"]", "[\"\\uFFFE\"]", "[\"\\u0022\"]",
    "[\"€𝄞\"]", "[\"aa\"]", "false", "42", "-0.1", "null", "\"asd\"", "true", "\"\"", "[\"a\"]\n",
    "[true]", " [] ",
  ])
  func acceptsValidText(_ text: String) throws {
    _ = try parse(text)
  }

  /// Refused by RFC 8259 (JSONTestSuite's n_ kind), each at its place.
  private static let invalidTexts: [(text: String, place: Int)] = [
    ("", 0), (" ", 1), ("[1 true]", 3), ("[a]", 1), ("[\"\": 1]", 3), ("[\"\"],", 4), ("[,1]", 1),
    ("[1,,2]", 3), ("[\"x\",,]", 5), ("[\"x\"]]", 5), ("[\"\",]", 4), ("[\"x\"", 4), ("[x", 1),
    ("[3[4]]", 2), ("[1:2]", 2), ("[,]", 1), ("[-]", 2), ("[   , \"\"]", 4),
    ("[\"a\",\n4\n,1,", 11),
    ("[1,]", 3), ("[*]", 1), ("[1,\n1\n,1", 8), ("[{}", 3), ("[fals]", 5), ("[nul]", 4),
    ("[tru]", 4), ("nul", 3), ("[True]", 1), ("nulL", 3), ("[++1234]", 1), ("[+1]", 1),
    ("[+Inf]", 1), ("[-01]", 1), ("[-1.0.]", 5), ("[-2.]", 4), ("[-NaN]", 2), ("[.-1]", 1),
    ("[.2e-3]", 1), ("[0.1.2]", 4), ("[0.3e+]", 6), ("[0.3e]", 5), ("[0.e1]", 3), ("[0e+]", 4),
    ("[0e]", 3), ("[0E]", 3), ("[1.0e+]", 6), ("[1.0e-]", 6), ("[1.0e]", 5), ("[1 000.0]", 3),
    ("[1eE2]", 3), ("[2.e+3]", 3), ("[2.e3]", 3), ("[9.e+]", 3), ("[Inf]", 1), ("[NaN]", 1),
    ("[１]", 1), ("[1+2]", 2), ("[0x1]", 2), ("[0x42]", 2), ("[Infinity]", 1), ("[0e+-1]", 4),
    ("[-123.123foo]", 9), ("[-Infinity]", 2), ("[-foo]", 2), ("[- 1]", 2), ("[-012]", 1),
    ("[-.123]", 2), ("[-1x]", 3), ("[1ea]", 3), ("[1a]", 2), ("[1.]", 3), ("[.123]", 1),
    ("[1.2a-3]", 4), ("[1.8011670033376514H-308]", 19), ("[012]", 1), ("-", 1), ("1.", 2),
    ("1e", 2),
    ("[\"x\", truth]", 9), ("{[: \"x\"}", 1), ("{\"x\", null}", 4), ("{\"x\"::\"b\"}", 5),
    ("{🇨🇭}", 1), ("{\"a\":\"a\" 123}", 9), ("{key: 'value'}", 1), ("{\"a\" b}", 5),
    ("{:\"b\"}", 1), ("{\"a\" \"b\"}", 5), ("{\"a\":", 5), ("{\"a\"", 4), ("{1:1}", 1),
    ("{9999E9999:1}", 1), ("{null:null,null:null}", 1), ("{\"id\":0,,,,,}", 8), ("{'a':0}", 1),
    ("{\"id\":0,}", 8), ("{\"a\":\"b\"}/**/", 9), ("{\"a\":\"b\"}/", 9), ("{\"a\":\"b\"}#", 9),
    ("{\"a\":\"b\",,\"c\":\"d\"}", 9), ("{a: \"b\"}", 1), ("{\"a\":\"a", 7),
    ("{ \"foo\" : \"bar\", \"a\" }", 21), ("{\"a\":\"b\"}}", 9), ("'single'", 0),
    ("[\"\\uD800\\", 2), ("[\"\\uD800\\u\"]", 8), ("[\"\\uD800\\u1\"]", 8),
    ("[\"\\uD800\\u1x\"]", 8),
    ("[é]", 1), ("[\"\\x00\"]", 2), ("[\"\\\\\\\"]", 7), ("[\"\\\t\"]", 2), ("[\"\\🌀\"]", 2),
    ("[\"\\\"]", 5), ("[\"\\u00A\"]", 2), ("[\"\\uD834\\uDd\"]", 8), ("[\"\\a\"]", 2),
    ("[\"\\uqqqq\"]", 2), ("[\\u0020\"asd\"]", 1), ("[\\n]", 1), ("\"", 1), ("['", 1), ("abc", 0),
    ("[\"\\", 3), ("[\"a\u{0}a\"]", 3), ("[\"new\nline\"]", 5), ("[\"\t\"]", 2), ("\"\\UA66D\"", 1),
    ("\"\"x", 2), ("<.>", 0), ("[<null>]", 1), ("[1]x", 3), ("[1]]", 3), ("[\"asd]", 6),
    ("aå", 0), ("[True]", 1), ("1]", 1), ("{\"x\": true,", 11), ("[][]", 2), ("]", 0), ("[", 1),
    ("2@", 1), ("{}}", 2), ("{\"\":", 4), ("{\"a\":/*comment*/\"b\"}", 5),
    ("{\"a\": true} \"x\"", 12),
    ("['a']", 1), ("[{\"\":[{\"\":[", 11), ("{", 1), ("{]", 1), ("{,", 1), ("{[", 1), ("{\"a", 3),
    ("[\"a", 3), ("[\"\\{[\"\\{[\"\\{", 2), ("*", 0), ("{\"a\":\"b\"}#{}", 9), ("[\\u000A\"\"]", 1),
    ("[1", 2), ("[ false, nul", 12), ("[ true, fals", 12), ("[ false, tru", 12),
    ("{\"asd\":\"asd\"", 12), ("å", 0), ("[\u{2060}]", 1), ("[\u{c}]", 1), ("\u{a0}1", 0),
    ("[1\u{b}]", 2), ("\u{0}", 0), ("1\u{0}", 1), ("+1", 0), ("\"\\ud800\"", 1), ("\"\\udc00\"", 1),
    ("\"a\\ud800b\"", 2), ("\"\\udc00\\ud800\"", 1), ("\"\\ud800\\ud800\"", 1),
    ("\"\\ud800\\n\"", 1), ("00", 0), ("1 2", 2),
  ]

  @Test(arguments: invalidTexts)
  func refusesInvalidText(_ text: String, _ offset: Int) throws {
    let error = try #require(throws: JSONError.self, "\(text)") { try parse(text) }
    #expect(error.offset == offset, "\(text): \(error)")
    #expect(error.message.contains("\(offset)"))
  }

  @Test func refusesByteOrderMark() throws {
    #expect(throws: JSONError.byteOrderMark) { try parse("\u{feff}{}") }
    // One inside a string is a character like another.
    #expect(try parse("\"\u{feff}\"") == .string("\u{feff}"))
  }

  /// Ill-formed sequences, in short and long strings, with escapes before or after.
  @Test func refusesInvalidUTF8WhereItIs() throws {
    let illFormed: [[UInt8]] = [
      [0x80], [0xbf], [0xc0, 0xaf], [0xc1, 0xbf], [0xc3], [0xc3, 0x28], [0xe0, 0x80, 0x80],
      [0xe0, 0x9f, 0xbf], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
      [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x9f, 0x98],
      [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff], [0xfe, 0xfe, 0xff, 0xff],
    ]
    for sequence in illFormed {
      for length in [0, 1, 5, 7, 8, 9, 31] {
        let plain = [UInt8](repeating: UInt8(ascii: "a"), count: length)
        for before in [plain, plain + "é€😀".utf8, "\\n\\u00e9".utf8 + plain] {
          for after in ["", "b", "\\t"] {
            let text = Array("[\"".utf8) + before + sequence + after.utf8 + "\"]".utf8
            #expect(throws: JSONError.invalidUTF8(offset: 2 + before.count)) {
              try JSONParser.parse(text)
            }
          }
        }
      }
    }
  }

  /// Left open by RFC 8259 (JSONTestSuite's i_ kind): what this parser does.
  @Test func choosesWhereTheStandardIsOpen() throws {
    let zeros = String(repeating: "0", count: 40)
    #expect(try parse("-0") == .double(-0.0))
    #expect(try parse("9223372036854775807") == .integer(Untrusted(.max)))
    #expect(try parse("-9223372036854775808") == .integer(Untrusted(.min)))
    for large in [
      "9223372036854775808", "-9223372036854775809", "18446744073709551616",
      "100000000000000000000000", "1e400", "-1e400", "1.5e999999999999999999999",
    ] {
      #expect(try parse(large) == .largeNumber(large))
    }
    #expect(try parse("1e-400") == .double(0))
    #expect(try parse("-1e-400") == .double(-0.0))
    for exponent in ["99", "999999999", "9223372036854775807", "9999999999999999999", "1" + zeros] {
      #expect(try parse("0.00e-\(exponent)") == .double(0))
      #expect(try parse("1.25e-3\(exponent)") == .double(0))
    }
    #expect(try parse("1e-\(zeros)1") == .double(0.1))
    #expect(try parse("0e999999999999999999999") == .double(0))
    #expect(try parse("1.0") == .double(1))
    #expect(try parse("1e2") == .double(100))
    #expect(try parse("\"\\u0000\"") == .string("\0"))
    // Names are compared byte by byte, and not by canonical equivalence as Swift compares strings.
    guard case .object(let members) = try parse("{\"\u{e9}\":1,\"e\\u0301\":2}") else {
      Issue.record("no object")
      return
    }
    #expect(members.count == 2)
  }

  @Test func doublesAreRoundedToTheNearest() throws {
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    for round in 0..<20_000 {
      let whole = String(UInt64.random(in: 0...(.max), using: &generator) >> UInt64(round % 64))
      let fraction = String(UInt64.random(in: 0...(.max), using: &generator) >> UInt64(round % 61))
      var text = "\(whole).\(fraction)"
      if round % 3 > 0 {
        text += "e\(Int.random(in: -30...30, using: &generator) * (round % 3))"
      }
      #expect(try parse(text) == .double(try #require(Double(text))), "seed \(seed): \(text)")
    }
  }

  @Test func readingStopsWhereTheCallerSays() throws {
    let text = Array(("[" + String(repeating: "1,", count: 20_000) + "1]").utf8)
    let asked = Atomic(0)
    var limits = JSONParser.Limits()
    limits.mayContinue = { asked.add(1, ordering: .relaxed).newValue <= 5 }
    _ = try JSONParser.parse(text, limits: limits)
    #expect(asked.load(ordering: .relaxed) == 4)
    #expect(throws: JSONError.cancelled(offset: 2 * (2 * 4096 - 2) + 1)) {
      try JSONParser.parse(text, limits: limits)
    }
  }

  @Test func readsFilesOfPythonAndEditors() throws {
    var limits = JSONParser.Limits()
    let mark = "\u{FEFF}"
    #expect(try JSONParser.parse(file: Array("\(mark) [1]".utf8)) == .array([.integer(1)]))
    #expect(throws: JSONError.byteOrderMark) { try parse("\(mark)[1]") }
    let names = ["NaN", "Infinity", "-Infinity"]
    for name in names { #expect(throws: JSONError.self) { try parse("[\(name)]") } }
    limits.takesNonFinite = true
    for name in names {
      guard case .double(let value) = try JSONParser.parse(file: Array(name.utf8), limits: limits)
      else {
        Issue.record("\(name)")
        continue
      }
      #expect("\(value)" == ["NaN": "nan", "Infinity": "inf"][name] ?? "-inf")
    }
    for name in ["nan", "Inf", "-NaN", "-I", "-Infinit", "Infinityy", "+Infinity"] {
      #expect(throws: JSONError.self) { try JSONParser.parse(Array(name.utf8), limits: limits) }
    }
  }

  @Test func namesHaveALimit() throws {
    var limits = JSONParser.Limits()
    limits.nameSize = 2
    let text = Array("[{\"ab\": {\"\\u00e9\" : \"abc\"}}, {\"abc\": 1}]".utf8)
    #expect(throws: JSONError.nameTooLong(size: 3, limit: 2, offset: 30)) {
      try JSONParser.parse(text, limits: limits)
    }
  }

  @Test func limitsHold() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(64))
    #expect(throws: JSONError.tooDeep(limit: 64, offset: 64)) { try parse(nested(65)) }
    #expect(throws: JSONError.tooDeep(limit: 64, offset: 64)) { try parse(nested(1_000_000)) }
    let objects = String(repeating: "{\"a\":", count: 100)
    #expect(throws: JSONError.tooDeep(limit: 64, offset: 64 * 5)) { try parse(objects) }
    var limits = JSONParser.Limits()
    limits.depth = 0
    _ = try JSONParser.parse(Array("1".utf8), limits: limits)
    #expect(throws: JSONError.tooDeep(limit: 0, offset: 0)) {
      try JSONParser.parse(Array("[]".utf8), limits: limits)
    }
    limits.depth = 1
    limits.valueCount = 4
    _ = try JSONParser.parse(Array("[1,2,3]".utf8), limits: limits)
    #expect(throws: JSONError.tooManyValues(limit: 4, offset: 7)) {
      try JSONParser.parse(Array("[1,2,3,4]".utf8), limits: limits)
    }
    let long = JSONParser.maximumNumberLength
    _ = try parse(String(repeating: "1", count: long))
    for digits in [long + 1, 1_000_000] {
      #expect(throws: JSONError.numberTooLong(limit: long, offset: 1)) {
        try parse("[" + String(repeating: "1", count: digits) + "]")
      }
    }
  }

  /// What ends a run of plain bytes is seen at every offset of a word.
  @Test func longStringsAreScannedExactly() throws {
    for length in 0..<40 {
      let plain = String(repeating: "x", count: length)
      #expect(try parse("\"\(plain)\"") == .string(plain))
      #expect(try parse("\"\(plain)é\(plain)\"") == .string(plain + "é" + plain))
      #expect(try parse("\"\(plain)\u{7f}!#[]\(plain)\"") == .string(plain + "\u{7f}!#[]" + plain))
      #expect(try parse("\"\(plain)\\n\(plain)\"") == .string(plain + "\n" + plain))
      for control in UInt8(0)..<32 {
        #expect(throws: JSONError.controlCharacter(offset: 1 + length)) {
          try parse("\"\(plain)\(Unicode.Scalar(control))\(plain)\"")
        }
      }
      #expect(throws: JSONError.unexpectedEnd(offset: 1 + length)) { try parse("\"\(plain)") }
    }
  }

  private func randomValue(_ generator: inout SeededGenerator, depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth < 5 ? 8 : 6), using: &generator) {
    case 0: return .null
    case 1: return .boolean(Bool.random(using: &generator))
    case 2: return .integer(Untrusted(.random(in: .min...(.max), using: &generator)))
    case 3:
      let value = Double(bitPattern: UInt64.random(in: 0...(.max), using: &generator))
      return .double(value.isFinite ? value : 0.5)
    case 4, 5: return .string(randomString(&generator))
    case 6:
      let count = Int.random(in: 0..<6, using: &generator)
      return .array((0..<count).map { _ in randomValue(&generator, depth: depth + 1) })
    default:
      var members: [RawText: JSONValue] = [:]
      for _ in 0..<Int.random(in: 0..<6, using: &generator) {
        members[RawText(randomString(&generator))] = randomValue(&generator, depth: depth + 1)
      }
      return .object(members)
    }
  }

  private func randomString(_ generator: inout SeededGenerator) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0..<20, using: &generator) {
      let limit: UInt32 = Bool.random(using: &generator) ? 0x80 : 0x11_0000
      if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  private func write(_ value: JSONValue, _ writer: inout JSONWriter) {
    switch value {
    case .null: writer.null()
    case .boolean(let value): writer.boolean(value)
    case .integer: writer.value(value)
    case .double(let value): writer.double(value)
    case .largeNumber: Issue.record("none is made")
    case .string(let value): writer.string(value)
    case .array(let elements):
      writer.beginArray()
      for element in elements { write(element, &writer) }
      writer.endArray()
    case .object(let members):
      writer.beginObject()
      for (key, value) in members {
        writer.key(key.string)
        write(value, &writer)
      }
      writer.endObject()
    }
  }

  @Test func writtenDocumentsReadBackAndMutationsNeverCrash() throws {
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    var refused = 0
    for round in 0..<2_000 {
      let value = randomValue(&generator, depth: 0)
      var writer = JSONWriter()
      write(value, &writer)
      #expect(try JSONParser.parse(writer.bytes) == value, "seed \(seed), round \(round)")
      for _ in 0..<10 {
        var bytes = writer.bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let position = Int.random(in: 0..<bytes.count, using: &generator)
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
          case 1 where bytes.count > 1: bytes.remove(at: position)
          case 2:
            bytes.insert(
              Array("[]{}\",:\\0-eu".utf8).randomElement(using: &generator)!, at: position)
          default: bytes.removeLast(min(position, bytes.count - 1))
          }
        }
        do {
          _ = try JSONParser.parse(bytes)
        } catch {
          refused += 1
          if !(0...bytes.count ~= error.offset) {
            Issue.record("seed \(seed), round \(round): \(error)")
          }
        }
      }
    }
    #expect(refused > 1_000)
  }
}
