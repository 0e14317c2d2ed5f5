import Glibc
import Testing

@testable import HTTP

@Suite struct HTTPDateTests {
  /// RFC 9110 section 5.6.7 has this date; the others are edges of the calendar.
  @Test(arguments: [
    (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
    (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
    (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
  ])
  func isAnIMFFixdate(_ time: Int, _ text: String) {
    #expect(HTTPDate.text(time) == text)
  }

  /// Against the C library, through four centuries.
  @Test func agreesWithTheCLibrary() {
    for time in stride(from: 0, to: 12_622_780_800, by: 86400 * 13 + 12_345) {
      var seconds = time_t(time)
      var parts = unsafe tm()
      unsafe gmtime_r(&seconds, &parts)
      let day = unsafe parts.tm_mday
      let year = unsafe parts.tm_year + 1900
      let hour = unsafe parts.tm_hour
      let text = HTTPDate.text(time).split(separator: " ")
      #expect(Int(text[1]) == Int(day))
      #expect(Int(text[3]) == Int(year))
      #expect(Int(text[4].prefix(2)) == Int(hour))
    }
  }
}
