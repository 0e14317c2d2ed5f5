import JSON
import Testing
import UntrustedInput

@Suite struct RawTextTests {
  /// Equal as `String`s, by canonical equivalence; here they are what they are.
  @Test func bytesAreCompared() {
    let (composed, decomposed) = ("\u{e9}", "e\u{301}")
    #expect(composed == decomposed)
    #expect(RawText(composed) != RawText(decomposed))
    #expect(Set([RawText(composed), RawText(decomposed), RawText(composed)]).count == 2)
    #expect(RawText("e\u{301}") < RawText("\u{e9}"))
    #expect(RawText("ab") < RawText("b"))
    #expect(!(RawText("b") < RawText("ab")))
    #expect(RawText(Substring("xyx").dropFirst()) == "yx")
  }

  /// A megabyte of marks in alternating classes, which `String` would sort for hours.
  @Test func marksTakeNoLongerThanLetters() {
    let marks = String(repeating: "\u{301}\u{316}", count: 250_000)
    let (first, second) = (RawText(marks), RawText(marks + "a"))
    var members: [RawText: Int] = [first: 1]
    members[second] = 2
    #expect(members[first] == 1)
    #expect(first != second)
    #expect(first < second)
    #expect(first != RawText("output_key"))
    #expect(first.description.unicodeScalars.count == 81)
  }

  @Test func partsAreFound() {
    #expect(RawText("model:predict").dropping(suffix: ":predict") == "model")
    #expect(RawText(":predict").dropping(suffix: ":predict") == "")
    #expect(RawText("predict").dropping(suffix: ":predict") == nil)
    #expect(RawText("encoder_outputs.3").dropping(prefix: "encoder_outputs.") == "3")
    #expect(RawText("encoder").dropping(prefix: "encoder_outputs.") == nil)
    #expect(RawText("a,,b").split(UInt8(ascii: ",")) == ["a", "", "b"])
    #expect(RawText("a=b=c").split(UInt8(ascii: "="), maxSplits: 1) == ["a", "b=c"])
    #expect(RawText(" \tTeXT\u{c9} ").trimmed.asciiLowercased == "text\u{c9}")
  }

  @Test(arguments: ["0", "7", "-1", "9223372036854775807", "-9223372036854775808"])
  func wholeNumbers(_ text: String) {
    #expect(RawText(text).integer?.description == Int(text)?.description)
  }

  @Test(arguments: [
    "", "-", "+0", "+7", "-0", "00", "007", "7 ", "0x7", "7.0", "9223372036854775808", "٣",
  ])
  func otherWaysToWriteThem(_ text: String) {
    #expect(RawText(text).integer == nil)
  }

  @Test func messagesShowTheBeginning() {
    #expect("\(RawText("output_key"))" == "output_key")
    #expect("\(RawText(String(repeating: "x", count: 80)))".count == 80)
    #expect("\(RawText(String(repeating: "x", count: 81)))".count == 81)
    #expect("\(RawText(String(repeating: "x", count: 100_000)))".count == 81)
  }
}
