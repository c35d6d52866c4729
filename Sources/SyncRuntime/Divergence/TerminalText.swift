/// Makes text of unknown origin harmless on a terminal, piece by piece as it comes.
///
/// A line feed and a tab stay; every other control character becomes visible: `^[` for escape, `<U+009B>` for what one
/// byte of older encodings or one character of Unicode can do, the characters that turn the direction of writing and
/// the ones that take no room too. Bytes that are no UTF-8 become U+FFFD. What comes out goes in again unchanged.
public struct TerminalText: Sendable {
  private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]
  /// The begun character at the end of the last piece.
  private var rest: [UInt8] = []

  public init() {}

  public static func harmless(_ bytes: [UInt8]) -> [UInt8] {
    var text = TerminalText()
    return text.feed(bytes) + text.finish()
  }

  public static func harmless(_ text: String) -> String {
    String(decoding: harmless([UInt8](text.utf8)), as: UTF8.self)
  }

  public mutating func feed(_ piece: [UInt8]) -> [UInt8] {
    let bytes = rest + piece
    rest = []
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count + 16)
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte < 0x80 {
        TerminalText.append(ascii: byte, to: &out)
        index += 1
        continue
      }
      let count = TerminalText.length(byte)
      guard let count else {
        out += TerminalText.replacement
        index += 1
        continue
      }
      let end = min(index + count, bytes.count)
      let isContinued = bytes[(index + 1)..<end].allSatisfy { $0 & 0xC0 == 0x80 }
      if isContinued, end - index < count {
        rest = Array(bytes[index...])
        break
      }
      let character = bytes[index..<end]
      guard isContinued, let scalar = String(validating: character, as: UTF8.self)?.unicodeScalars.first else {
        out += TerminalText.replacement
        index += 1
        continue
      }
      if TerminalText.isHarmful(scalar) {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        out += "<U+\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)>".utf8
      } else {
        out += character
      }
      index = end
    }
    return out
  }

  /// What a begun character at the very end becomes.
  public mutating func finish() -> [UInt8] {
    defer { rest = [] }
    return rest.isEmpty ? [] : TerminalText.replacement
  }

  private static func append(ascii byte: UInt8, to out: inout [UInt8]) {
    if byte >= 0x20 && byte != 0x7F || byte == 0x0A || byte == 0x09 {
      out.append(byte)
    } else {
      out.append(UInt8(ascii: "^"))
      out.append(byte ^ 0x40)
    }
  }

  private static func length(_ lead: UInt8) -> Int? {
    switch lead {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: nil
    }
  }

  private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x80...0x9F, 0xAD, 0x61C, 0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB,
      0xE0000...0xE007F:
      true
    default: false
    }
  }
}
