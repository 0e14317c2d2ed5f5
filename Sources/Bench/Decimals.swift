public import BERT

extension Double {
  /// With so many decimals, rounded: "0.10".
  func decimals(_ places: Int) -> String {
    var scaled = abs(self)
    for _ in 0..<places { scaled *= 10 }
    guard scaled.rounded() < 0x1p63 else { return "\(self)" }
    let digits = String(Int(scaled.rounded()))
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return (self < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
  }
}

extension Encoder {
  /// `weightBytes` in units of 10^6, with a decimal.
  public var weightMegabytes: String { (Double(weightBytes) / 1e6).decimals(1) }
}
