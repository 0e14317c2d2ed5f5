private let crlf = "\r\n"
private let end = "Host: a\r\n\r\n"

private func get(_ target: String = "/health") -> String { "GET \(target) HTTP/1.1\r\n" }

private func post(_ fields: String, _ body: String = "") -> String {
  "POST /echo HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n\(body)"
}

private func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked", body) }

private func raw(_ parts: [UInt8]...) -> [UInt8] { Array(parts.joined()) }

/// RFC 9112 unless another is named. Where it leaves a choice, the choice taken is fixed here.
let behaviours: [Behaviour] =
  startLineBehaviours + hostBehaviours + fieldBehaviours
  + framingBehaviours + connectionBehaviours + semanticBehaviours

private let rawCharacters: [Behaviour] =
  "\"<>[]\\^`{|}".flatMap { character in
    [
      "/health\(character)", "/health?a=\(character)", "http://a/\(character)",
      "http://a?\(character)",
    ]
    .map { .closed("9110 4.2", "a raw \(character) in \($0)", get($0) + end) }
  }

let startLineBehaviours: [Behaviour] =
  rawCharacters + [
    .served("3", "a plain GET", get() + end, body: "ok\n"),
    .served("2.2", "one empty line first", crlf + get() + end),
    .served("2.2", "two empty lines first", crlf + crlf + get() + end),
    .closed("2.2", "five empty lines first", crlf + crlf + crlf + crlf + crlf + get() + end),
    .closed("3", "two spaces after the method", "GET  /health HTTP/1.1" + crlf + end),
    .closed("3", "two spaces before the version", "GET /health  HTTP/1.1" + crlf + end),
    .closed("3", "a space after the version", "GET /health HTTP/1.1 " + crlf + end),
    .closed("3", "a space before the method", " GET /health HTTP/1.1" + crlf + end),
    .closed("3", "a tab as separator", "GET\t/health HTTP/1.1" + crlf + end),
    .closed("3", "a tab before the version", "GET /health\tHTTP/1.1" + crlf + end),
    .closed("3", "HTTP/0.9", "GET /health" + crlf + end),
    .closed("3", "a method alone", "GET" + crlf + end),
    .served("9110 2.5", "HTTP/1.2 is read as 1.1", "GET /health HTTP/1.2" + crlf + end),
    .closed("9110 15.6.6", "HTTP/2.0", "GET /health HTTP/2.0" + crlf + end, 505),
    .closed("9110 15.6.6", "HTTP/0.9 spelled out", "GET /health HTTP/0.9" + crlf + end, 505),
    .closed(
      "9110 15.6.6", "the HTTP/2 preface", "PRI * HTTP/2.0" + crlf + crlf + "SM" + crlf + crlf, 505),
    .closed("2.3", "HTTP/0.99", "GET /health HTTP/0.99" + crlf + end),
    .closed("2.3", "HTTP/1.10", "GET /health HTTP/1.10" + crlf + end),
    .closed("2.3", "HTTP/11", "GET /health HTTP/11" + crlf + end),
    .closed("2.3", "HTTP/1.", "GET /health HTTP/1." + crlf + end),
    .closed("2.3", "HTTP/a.1", "GET /health HTTP/a.1" + crlf + end),
    .closed("2.3", "http/1.1", "GET /health http/1.1" + crlf + end),
    .closed("2.3", "a CR in the version", "GET /health HTTP/\r1.1" + crlf + end),
    .closed("2.3", "FTP/1.1", "GET /health FTP/1.1" + crlf + end),
    .closed("9110 9.1", "a method of separators", "G=\":<>(e),[T];?\" / HTTP/1.1" + crlf + end),
    .closed("9110 9.1", "NUL in the method", "GET\0 / HTTP/1.1" + crlf + end),
    .closed("9110 9.1", "ß in the method", "GETß / HTTP/1.1" + crlf + end),
    .served("9110 15.5.6", "an unknown method", "BREW /health HTTP/1.1" + crlf + end, 405),
    .served("9110 9.1", "methods are case-sensitive", "get /health HTTP/1.1" + crlf + end, 405),
    .closed(
      "3", "a method of 1000 letters",
      String(repeating: "M", count: 1000) + " /health HTTP/1.1" + crlf + end, 501),
    .closed("3", "a target too long", get("/" + String(repeating: "a", count: 8192)) + end, 414),
    .closed(
      "3", "a target far too long", get("/" + String(repeating: "a", count: 20000)) + end, 414),
    .served(
      "3", "a target just short enough", get("/" + String(repeating: "a", count: 8191)) + end, 404),
    .closed("3.2", "a space in the target", get("/he alth") + end),
    .closed("3.2", "a control byte in the target", get("/he\u{1}alth") + end),
    .closed("3.2", "DEL in the target", get("/he\u{7F}alth") + end),
    .closed("3.2", "a raw byte above 0x7F in the target", get("/héalth") + end),
    .closed("3.2", "a fragment", get("/health#x") + end),
    .served(
      "9110 4.2", "every character of a path and a query",
      get("/-._~!$&'()*+,;=:@a0/../health?-._~!$&'()*+,;=:@/?a0%7e") + end),
    .closed("9110 4.2", "%zz", get("/%zz") + end),
    .closed("9110 4.2", "% at the end", get("/%") + end),
    .closed("9110 4.2", "%a at the end", get("/%a") + end),
    .closed("9110 4.2", "%00", get("/a%00b") + end),
    .closed("3.2.1", "a target without a slash", get("foo/bar") + end),
    .closed("3.2.3", "authority form without CONNECT", get("a.com:443") + end),
    .closed("3.2.4", "* without OPTIONS", get("*") + end),
    .served("3.2.4", "OPTIONS *", "OPTIONS * HTTP/1.1" + crlf + end, 204),
    .served("3.2.2", "absolute form wins over Host", get("http://b/host") + end, body: "b"),
    .served("3.2.2", "absolute form with a port", get("HTTP://b:81/host") + end, body: "b:81"),
    .served("3.2.2", "absolute form without a path", get("http://b?x") + end, 404),
    .closed("9110 4.2.4", "user information in the target", get("http://u@b/host") + end),
    .closed("9110 4.2.1", "an empty host in the target", get("http:///host") + end),
    .closed("3.2.3", "CONNECT", "CONNECT a:1 HTTP/1.1" + crlf + end, 501),
    .served("9110 9.3.8", "TRACE", "TRACE /health HTTP/1.1" + crlf + end, 405),
    .served("9110 4.2.3", "/a/../health", get("/a/../health") + end),
    .served("9110 4.2.3", "//health", get("//health") + end),
    .served("9110 4.2.3", "/health/", get("/health/") + end),
    .served("9110 4.2.3", "/%68ealth", get("/%68ealth") + end),
    .served("9110 4.2.3", "above the root", get("/../health") + end, 400),
    .closed("2.2", "a CR without LF", "GET /health HTTP/1.1\rHost: a\r\r"),
  ]

private let hosts: [Behaviour] =
  [
    "a", "A-b.c_d~9", "a%41b", "!$&'()*+,;=", "127.0.0.1", "a:", "a:0", "a:65535", "a:00080",
    "[::]",
    "[::1]:", "[2001:DB8::7]:443", "[1:2:3:4:5:6:7:8]", "[::ffff:1.2.3.4]", "[v1.a:b]", "[vF.~]",
  ].map { .served("3.2", "Host: \($0)", get() + "Host: \($0)" + crlf + crlf) }
  + [
    "%", "a%zz", "a%", "a%4", "a%00", "[::::::]", "[1]", "[:]", "[1:2:3:4:5:6:7:8:9]", "[::1::]",
    "[12345::]", "[::1%25lo]", "[::1.2.3]", "[::1.2.3.256]", "[v.a]", "[v1.]", "[v1]", "[vg.a]",
    "[v1.a/b]", "[", "]", "a]", "[::1]]", "::1", "a[", "\"a\"", "<a>", "a|b", "a\\b", "a^b", "a`b",
    "{a}", "a#b", "a?b", ":80", "a:65536", "a:+1", "a:-1", "a:18446744073709551696", "a:8 0",
    "[::1]80", "a,b:1:2",
  ].map { .closed("3.2", "Host: \($0)", get() + "Host: \($0)" + crlf + crlf) }

let hostBehaviours: [Behaviour] =
  hosts + [
    .closed("3.2", "no Host", get() + crlf),
    .closed("3.2", "two Hosts", get() + "Host: a" + crlf + "Host: b" + crlf + crlf),
    .closed("3.2", "the same Host twice", get() + "Host: a" + crlf + "Host: a" + crlf + crlf),
    .closed("3.2", "Host: a b", get() + "Host: a b" + crlf + crlf),
    .closed("3.2", "Host: a/b", get() + "Host: a/b" + crlf + crlf),
    .closed("3.2", "Host: a@b", get() + "Host: a@b" + crlf + crlf),
    .closed("3.2", "Host: a:99999", get() + "Host: a:99999" + crlf + crlf),
    .closed("3.2", "Host: a:x", get() + "Host: a:x" + crlf + crlf),
    .closed("3.2", "Host: a:1:2", get() + "Host: a:1:2" + crlf + crlf),
    .closed("3.2", "Host: []", get() + "Host: []" + crlf + crlf),
    .closed("3.2", "Host: [::1]x", get() + "Host: [::1]x" + crlf + crlf),
    .closed("3.2", "an empty Host", get() + "Host:" + crlf + crlf),
    .closed("3.2", "Host: [::1", get() + "Host: [::1" + crlf + crlf),
    .served("3.2", "Host: [::1]:80", get() + "Host: [::1]:80" + crlf + crlf),
    .served("3.2", "Host: a.b_c:8080", get() + "Host: a.b_c:8080" + crlf + crlf),
    .closed("3.2", "HTTP/1.0 without Host", "GET /health HTTP/1.0" + crlf + crlf, 200),
    .closed(
      "3.2", "HTTP/1.0 with a bad Host", "GET /health HTTP/1.0" + crlf + "Host: a b" + crlf + crlf),
  ]

let fieldBehaviours: [Behaviour] = [
  .closed("5.1", "a space before the colon", get() + "X : v" + crlf + end),
  .closed("5.1", "a tab before the colon", get() + "X\t: v" + crlf + end),
  .closed("2.2", "white space after the request line", get() + " " + crlf + end),
  .closed("2.2", "an indented first field", get() + " X: v" + crlf + end),
  .closed("5.2", "a folded line", get() + "X: v" + crlf + " more" + crlf + end),
  .closed("5.2", "a line folded with a tab", get() + "X: v" + crlf + "\tmore" + crlf + end),
  .closed("5", "no name", get() + ": v" + crlf + end),
  .closed("5", "no colon", get() + "X" + crlf + end),
  .closed("9110 5.1", "X[]: v", get() + "X[]: v" + crlf + end),
  .closed("9110 5.1", "NUL in a name", get() + "X\0: v" + crlf + end),
  .closed("9110 5.1", "CR in a name", get() + "X\r: v" + crlf + end),
  Behaviour(
    "9110 5.1", "0xEF in a name",
    raw(Array(get().utf8), [0xEF], Array("foo: v\r\nHost: a\r\n\r\n".utf8)), [400], closes: true),
  .closed("9110 5.5", "NUL in a value", get() + "X: a\0b" + crlf + end),
  .closed("9110 5.5", "CR in a value", get() + "X: a\rb" + crlf + end),
  .closed("9110 5.5", "LF in a value", get() + "X: a\nb" + crlf + end),
  .closed("9110 5.5", "0x01 in a value", get() + "X: a\u{1}b" + crlf + end),
  .closed("9110 5.5", "ESC in a value", get() + "X: a\u{1B}b" + crlf + end),
  .closed("9110 5.5", "DEL in a value", get() + "X: a\u{7F}b" + crlf + end),
  Behaviour(
    "9110 5.5", "obs-text in a value",
    raw(Array((get() + "X: ").utf8), Array(0x80...0xFF), Array("\r\nHost: a\r\n\r\n".utf8)), [200],
    closes: false),
  .closed("2.2", "LF as line end", "GET /health HTTP/1.1\nHost: a\n\n"),
  .closed("2.2", "LF at the end of one field", get() + "X: v\n" + end),
  .closed("2.2", "LF as the empty line", get() + "Host: a\r\n\n"),
  .served(
    "5.1", "space around a value", get("/fields") + "X: \t v \t" + crlf + end, body: "x=v\n"),
  .served("5.5", "an empty value", get("/fields") + "X:" + crlf + end, body: "x=\n"),
  .served("5.5", "a value of spaces", get("/fields") + "X:   " + crlf + end, body: "x=\n"),
  .served("5.5", "a tab inside", get("/fields") + "X: a\tb" + crlf + end, body: "x=a\tb\n"),
  .served(
    "9110 5.1", "names in any case",
    "POST /echo HTTP/1.1" + crlf + "hOST: a" + crlf + "cOnTeNt-LeNgTh: 2" + crlf + crlf + "hi",
    body: "hi"),
  .closed(
    "9110 5.4", "a field too long",
    get() + "X: " + String(repeating: "v", count: 16384) + crlf + end, 431),
  .closed(
    "9110 5.4", "fields too long together",
    get() + (0..<5).map { "X\($0): " + String(repeating: "v", count: 8000) + crlf }.joined() + end,
    431),
  .closed(
    "9110 5.4", "101 fields", get() + (0..<100).map { "X\($0): v\r\n" }.joined() + end, 431),
  .served("9110 5.4", "100 fields", get() + (0..<99).map { "X\($0): v\r\n" }.joined() + end),
  .served(
    "6.1", "Transfer_Encoding does not frame",
    get("/fields") + "Transfer_Encoding: chunked" + crlf + end, body: "transfer_encoding=chunked\n"),
]

let framingBehaviours: [Behaviour] =
  [
    .served("6.2", "Content-Length", post("Content-Length: 5", "hello"), body: "hello"),
    .served("6.2", "leading zeros", post("Content-Length: 0005", "hello"), body: "hello"),
    .served("6.3", "Content-Length: 0", post("Content-Length: 0"), body: ""),
  ]
  + [
    "-1", "+5", "0x5", "5_0", "5 1", "5,", "", "abc", "5, 5", "5, 6", "18446744073709551621",
    "9223372036854775808", "00000000000000000005", "5.0", "\u{B}5",
  ].map { .closed("6.3", "Content-Length: \($0)", post("Content-Length: \($0)", "hello")) }
  + [
    .closed("6.3", "two Content-Lengths", post("Content-Length: 5\r\nContent-Length: 6", "hello")),
    .closed("6.3", "the same twice", post("Content-Length: 5\r\nContent-Length: 5", "hello")),
    .closed(
      "6.1", "chunked and Content-Length",
      post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n")),
    .closed(
      "6.1", "Content-Length and chunked",
      post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
    .closed("6.1", "gzip, chunked", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501),
    .closed("6.1", "identity", post("Transfer-Encoding: identity", "0\r\n\r\n"), 501),
    .closed("6.1", "xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), 501),
  ]
  + [
    "chunked, gzip", "chunked, identity", "chunked, chunked", "chunked;a=b", "\"chunked\"",
    "\u{B}chunked", "chunked,", ", chunked", "", "chunked chunked",
  ].map {
    .closed("6.3", "Transfer-Encoding: \($0)", post("Transfer-Encoding: \($0)", "0\r\n\r\n"))
  }
  + [
    .closed(
      "6.1", "two Transfer-Encodings",
      post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
    Behaviour(
      "6.1", "0xA0 around chunked",
      raw(
        Array("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ".utf8), [0xA0],
        Array("chunked\r\n\r\n0\r\n\r\n".utf8)), [400], closes: true),
    Behaviour(
      "6.1", "0x85 after chunked",
      raw(
        Array("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked".utf8), [0x85],
        Array("\r\n\r\n0\r\n\r\n".utf8)), [400], closes: true),
    .served(
      "7", "CHUNKED", post("Transfer-Encoding: CHUNKED", "5\r\nhello\r\n0\r\n\r\n"), body: "hello"),
    .closed(
      "6.1", "chunked in HTTP/1.0",
      "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    .served("7.1", "two chunks", chunked("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), body: "hello!"),
    .served("7.1", "no chunks", chunked("0\r\n\r\n"), body: ""),
    .served("7.1", "upper-case hex", chunked("A\r\n0123456789\r\n0\r\n\r\n"), body: "0123456789"),
    .served("7.1", "lower-case hex", chunked("a\r\n0123456789\r\n0\r\n\r\n"), body: "0123456789"),
    .served(
      "7.1", "zeros before a size", chunked("00000005\r\nhello\r\n000\r\n\r\n"), body: "hello"),
    .served("7.1.1", "an extension", chunked("5;ext=v\r\nhello\r\n0\r\n\r\n"), body: "hello"),
    .served(
      "7.1.1", "a quoted extension", chunked("5;e=\"q;\\\"x\"\r\nhello\r\n0;y\r\n\r\n"),
      body: "hello"),
    .served(
      "7.1.1", "space before an extension", chunked("5 ;e\r\nhello\r\n0\r\n\r\n"), body: "hello"),
    .closed(
      "7.1.1", "a long extension",
      chunked("5;" + String(repeating: "e", count: 4096) + "\r\nhello\r\n0\r\n\r\n")),
    .closed(
      "7.1.1", "long extensions together",
      chunked(
        String(repeating: "1;" + String(repeating: "e", count: 500) + "\r\nx\r\n", count: 9))),
    .closed("7.1", "a size of 16 Fs", chunked("FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), 413),
    .closed("7.1", "a size of 2^63", chunked("8000000000000000\r\nhello\r\n0\r\n\r\n"), 413),
    .closed("7.1", "a size of 2^64 and 5", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")),
    .closed("7.1", "a chunk over the limit", chunked("1000001\r\nhello"), 413),
  ]
  // The sum of a size and what came before must not overflow either.
  + [
    "7FFFFFFF", "80000000", "FFFFFFFF", "100000000", "7FFFFFFFFFFFFFFE", "7FFFFFFFFFFFFFFF",
    "8000000000000000", "FFFFFFFFFFFFFFFF", "1000000", "00000000001000000",
  ].map { size in
    .closed(
      "7.1", "\(size) after a first chunk", chunked("1\r\na\r\n\(size)\r\n"),
      size.count > 16 ? 400 : 413)
  }
  + [
    ";a", ";a=b", ";a=\"b\"", " ; a = b", "\t;\ta\t=\t\"\"", ";a;b=c;d", ";a=\"\\\"; \t\\\\\";b",
    ";!#=$%",
  ].map {
    .served(
      "7.1.1", "an extension \($0)", chunked("5\($0)\r\nhello\r\n0\($0)\r\n\r\n"), body: "hello")
  }
  + [
    ";", "; ", ";a ", ";=", ";=b", ";a=", ";a= ", ";a=b=c", ";a b", ";a,b", ";a;", ";;a", ";a=\"",
    ";a=\"b",
    ";a=\"b\\\"", ";a=\"b\"c", ";a=b\"c\"", ";[a]", ";a=(b)", ";\"a\"", ";é", " a", "a=b",
  ].map {
    .closed("7.1.1", "an extension \($0)", chunked("5\($0)\r\nhello\r\n0\r\n\r\n"))
  }
  + ["0x5", "+5", "-5", "5_0", " 5", "5 ", "", "g", ";e", "5\te"].map {
    .closed("7.1", "chunk size \"\($0)\"", chunked("\($0)\r\nhello\r\n0\r\n\r\n"))
  }
  + [
    .closed("7.1", "LF after a chunk size", chunked("5\nhello\r\n0\r\n\r\n")),
    .closed("7.1", "CR in a chunk size line", chunked("5\rX\r\nhello\r\n0\r\n\r\n")),
    .closed("7.1.1", "LF in an extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n")),
    .closed("7.1", "LF after chunk data", chunked("5\r\nhello\n0\r\n\r\n")),
    .closed("7.1", "no CRLF after chunk data", chunked("5\r\nhello0\r\n\r\n")),
    .closed("7.1", "data longer than its size", chunked("5\r\nhello world\r\n0\r\n\r\n")),
    .served("7.1.2", "a trailer", chunked("5\r\nhello\r\n0\r\nX: y\r\n\r\n"), body: "hello"),
    .served(
      "9110 6.5.1", "framing fields as trailers",
      chunked("5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n"),
      body: "hello"),
    .closed("7.1.2", "a trailer without a colon", chunked("5\r\nhello\r\n0\r\nX\r\n\r\n")),
    .closed("7.1.2", "a folded trailer", chunked("5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n")),
    .closed(
      "7.1.2", "too many trailers", chunked("0\r\n" + String(repeating: "X: y\r\n", count: 101)),
      431),
    .served("9.3", "GET with a body", get() + "Content-Length: 5" + crlf + end + "hello"),
    .served(
      "9.3", "GET with a chunked body",
      get() + "Transfer-Encoding: chunked" + crlf + end + "0\r\n\r\n"),
    .served("6.3", "POST without a length", "POST /echo HTTP/1.1" + crlf + end, body: ""),
    .closed("9110 15.5.14", "Content-Length over the limit", post("Content-Length: 16777217"), 413),
    .served(
      "9.3", "a refused request's body is skipped",
      "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 41\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: evil\r\n\r\n----",
      405),
    .closed(
      "9.3", "a refused request's chunked body is not read",
      "POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      405),
  ]

let connectionBehaviours: [Behaviour] = [
  Behaviour(
    "9.3.2", "ten pipelined requests", Array(String(repeating: get() + end, count: 10).utf8),
    Array(repeating: 200, count: 10), closes: false),
  Behaviour(
    "9.3.2", "good and bad", Array((get() + end + "bad" + crlf + end).utf8), [200, 400],
    closes: true),
  Behaviour(
    "9.3.2", "bodies and none",
    Array((post("Content-Length: 2", "ab") + get() + end + chunked("1\r\nx\r\n0\r\n\r\n")).utf8),
    [200, 200, 200], closes: false, body: "x"),
  .closed("9.6", "Connection: close", get() + "Connection: close" + crlf + end, 200),
  .closed("9.6", "Connection: CLOSE", get() + "Connection: CLOSE" + crlf + end, 200),
  .closed("9.6", "Connection: foo, close", get() + "Connection: foo, close" + crlf + end, 200),
  .closed("9.6", "close and keep-alive", get() + "Connection: keep-alive, close" + crlf + end, 200),
  .closed(
    "9.6", "nothing after close", get() + "Connection: close" + crlf + end + get() + end, 200),
  .closed("9.3", "HTTP/1.0", "GET /health HTTP/1.0" + crlf + end, 200),
  .served(
    "9.3", "HTTP/1.0 with keep-alive",
    "GET /health HTTP/1.0" + crlf + "Connection: Keep-Alive" + crlf + end),
]

let semanticBehaviours: [Behaviour] = [
  .served("9110 15.5.6", "a wrong method", "POST /health HTTP/1.1" + crlf + end, 405),
  Behaviour(
    "9110 10.1.1", "Expect: 100-continue",
    Array(post("Expect: 100-Continue\r\nContent-Length: 5", "hello").utf8), [100, 200],
    closes: false, body: "hello"),
  Behaviour(
    "9110 10.1.1", "Expect: 100-continue behind another request",
    Array((get() + end + post("Expect: 100-continue\r\nContent-Length: 1", "x")).utf8),
    [200, 100, 200], closes: false, body: "x"),
  .served("9110 10.1.1", "Expect without a body", get() + "Expect: 100-continue" + crlf + end),
  .closed("9110 10.1.1", "another Expect", get() + "Expect: 200-ok" + crlf + end, 417),
  .closed(
    "9110 10.1.1", "100-continue and another", get() + "Expect: 100-continue, x" + crlf + end, 417),
  .closed(
    "9110 10.1.1", "a refused head gets no 100",
    "POST /health HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 405),
  .closed(
    "9110 10.1.1", "a body over the limit gets no 100",
    post("Expect: 100-continue\r\nContent-Length: 16777217"), 413),
  .closed(
    "9110 10.1.1", "Expect in HTTP/1.0",
    "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", 200),
  .closed(
    "9110 10.1.1", "another Expect in HTTP/1.0",
    "GET /health HTTP/1.0\r\nExpect: x\r\n\r\n", 200),
  .served(
    "9110 7.8", "an upgrade is not taken",
    get() + "Connection: Upgrade, HTTP2-Settings" + crlf + "Upgrade: h2c" + crlf
      + "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA" + crlf + end),
]
