/// A number of bytes, as people read and write it: `20 GiB`, `512 MiB`, `4096`.
public struct ByteCount: Sendable, Equatable, CustomStringConvertible {
  private static let units: [(name: String, bytes: UInt64)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
  ]

  public let bytes: UInt64

  public init(_ bytes: UInt64) { self.bytes = bytes }

  /// A whole number without leading zeros, bytes unless a unit follows it behind one space or none.
  ///
  /// - Returns: `nil` for anything else, and for more than 2^62 bytes.
  public init?(parsing text: String) {
    let digits = text.prefix { ("0"..."9").contains($0) }
    let unit = text.dropFirst(digits.count)
    guard (1...19).contains(digits.count), digits == "0" || !digits.hasPrefix("0"), let number = UInt64(digits) else {
      return nil
    }
    let name = unit.hasPrefix(" ") ? unit.dropFirst() : unit
    guard !unit.isEmpty else {
      guard number <= 1 << 62 else { return nil }
      bytes = number
      return
    }
    guard let scale = ByteCount.units.first(where: { $0.name == name })?.bytes, number <= (1 << 62) / scale else {
      return nil
    }
    bytes = number * scale
  }

  /// In the largest unit of which it has at least one; one decimal where that is not whole.
  public var description: String {
    guard let unit = ByteCount.units.first(where: { bytes >= $0.bytes }) else { return "\(bytes) bytes" }
    let tenths = (bytes % unit.bytes) / max(1, unit.bytes / 10)
    return tenths == 0 ? "\(bytes / unit.bytes) \(unit.name)" : "\(bytes / unit.bytes).\(min(9, tenths)) \(unit.name)"
  }
}
