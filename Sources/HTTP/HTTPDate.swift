/// The Date field (RFC 9110 section 5.6.7), made anew once a second.
struct HTTPDate {
  private var second = Int.min
  /// `Date: Sun, 06 Nov 1994 08:49:37 GMT` and a CRLF.
  private(set) var line: [UInt8] = []

  /// - Parameter unixTime: seconds since 1970.
  mutating func set(_ unixTime: Int) {
    if unixTime == second { return }
    second = unixTime
    line = Array("Date: \(Self.text(unixTime))\r\n".utf8)
  }

  /// IMF-fixdate.
  static func text(_ unixTime: Int) -> String {
    let days = Int((Double(unixTime) / 86400).rounded(.down))
    let seconds = unixTime - days * 86400
    let (year, month, day) = civil(days)
    let weekday = weekdays[((days + 4) % 7 + 7) % 7]
    return "\(weekday), \(two(day)) \(months[month - 1]) \(year) "
      + "\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60)) GMT"
  }

  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// Days since 1970 to year, month and day: Howard Hinnant, "chrono-Compatible Low-Level Date
  /// Algorithms", civil_from_days, for dates from year 0 on.
  private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
