import SyncProof
import SyncRuntime

/// Refuses what would end the process in the TOML library, before it is asked.
///
/// The library (toml++ 3.4.0, `parser::parse_key`) asserts that a table's header begins with a key, where it should
/// report an error: `[!]` ends the process. Beside that only what is outside quotes and comments is looked at, as far
/// as it is needed to find the headers. Pure.
enum TOMLScreen {
  /// - Throws: ``PluginError/Code/invalid`` with the line.
  static func check(_ bytes: [UInt8], path: String) throws(PluginError) {
    var place = 0
    var line = 1
    /// Brackets of values that are open.
    var depth = 0
    var isAtLineStart = true
    while place < bytes.count {
      let byte = bytes[place]
      switch byte {
      case 0x0A:
        line += 1
        isAtLineStart = true
      case 0x09, 0x0D, 0x20: break
      case UInt8(ascii: "#"):
        while place + 1 < bytes.count, bytes[place + 1] != 0x0A { place += 1 }
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        place = endOfText(bytes, from: place, &line)
        isAtLineStart = false
      case UInt8(ascii: "[") where isAtLineStart && depth == 0:
        guard isHeader(bytes, from: place) else {
          throw PluginError(.invalid, "\(path), line \(line): a table's header is [NAME]; this one begins otherwise")
        }
        // A second bracket belongs to it as well.
        if place + 1 < bytes.count, bytes[place + 1] == byte { place += 1 }
        isAtLineStart = false
      case UInt8(ascii: "["):
        depth += 1
        isAtLineStart = false
      case UInt8(ascii: "]"):
        depth = max(0, depth - 1)
        isAtLineStart = false
      case 0x80...:
        throw PluginError(
          .invalid, "\(path), line \(line): outside of quotes and comments only ASCII can stand; quote what has more")
      default: isAtLineStart = false
      }
      place += 1
    }
  }

  /// Whether what follows the brackets is a key, or an error that the library reports.
  private static func isHeader(_ bytes: [UInt8], from start: Int) -> Bool {
    var place = start + 1
    if place < bytes.count, bytes[place] == UInt8(ascii: "[") { place += 1 }
    while place < bytes.count, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
    guard place < bytes.count else { return true }
    switch bytes[place] {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "]"):
      return true
    default: return false
    }
  }

  /// The place of a text's last quote, or of what is before the end of what has none.
  private static func endOfText(_ bytes: [UInt8], from start: Int, _ line: inout Int) -> Int {
    let quote = bytes[start]
    let hasEscapes = quote == UInt8(ascii: "\"")
    let isLong = start + 2 < bytes.count && bytes[start + 1] == quote && bytes[start + 2] == quote
    var place = start + (isLong ? 3 : 1)
    while place < bytes.count {
      let byte = bytes[place]
      if hasEscapes, byte == UInt8(ascii: "\\"), place + 1 < bytes.count, bytes[place + 1] != 0x0A {
        place += 2
        continue
      }
      if byte == 0x0A {
        // A short text ends with its line, which the library reports.
        if !isLong { return place - 1 }
        line += 1
      }
      if byte == quote {
        guard isLong else { return place }
        var end = place
        while end + 1 < bytes.count, bytes[end + 1] == quote { end += 1 }
        // Up to two quotes more may stand before the three that end it.
        if end - place >= 2 { return end }
        place = end
      }
      place += 1
    }
    return bytes.count - 1
  }
}
