import Foundation

/// The terminal, where there is one. Colour and moving lines appear on a TTY only.
enum Console {
  static let isTerminal = isatty(STDOUT_FILENO) == 1
  private static let isColoured =
    isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
    && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  enum Colour: String {
    case green = "32"
    case red = "31"
    case yellow = "33"
    case dim = "2"
    case bold = "1"
  }

  static func paint(_ text: String, _ colour: Colour) -> String {
    isColoured ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// One line on standard output, at once.
  static func line(_ text: String = "") {
    FileHandle.standardOutput.write(Data((text + "\n").utf8))
  }

  /// One sentence on standard error.
  static func error(_ text: String) {
    let label = isatty(STDERR_FILENO) == 1 ? "\u{1B}[31merror:\u{1B}[0m" : "error:"
    FileHandle.standardError.write(Data("\(label) \(text)\n".utf8))
  }

  /// JSON with sorted keys, so that equal values print equal bytes.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    line(String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}

/// Lines that are drawn over each other on a terminal and appear once, when they change, elsewhere.
struct LiveLines {
  private var drawn = 0
  private var last: [String: String] = [:]

  /// - Parameters:
  ///   - lines: One for each thing that moves: a key that stays and the text to show.
  ///   - plain: What to print where nothing can be drawn over; shown when it differs from the last time.
  mutating func show(_ lines: [(key: String, live: String, plain: String)]) {
    if Console.isTerminal {
      var text = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
      for line in lines { text += "\u{1B}[2K\(line.live)\n" }
      drawn = lines.count
      FileHandle.standardOutput.write(Data(text.utf8))
    } else {
      for line in lines where last[line.key] != line.plain {
        last[line.key] = line.plain
        Console.line(line.plain)
      }
    }
  }

  /// What is drawn stays; the next lines begin below it.
  mutating func settle() { drawn = 0 }
}
