import Foundation
import Synchronization

/// The terminal, where there is one. Colour and moving lines appear on a TTY only.
enum Console {
  static let isTerminal = isatty(STDOUT_FILENO) == 1
  static let isColoured =
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

  /// Where lines for people go: to standard error while a command prints JSON.
  static let isReservedForJSON = Mutex(false)

  /// One line for people, at once.
  static func line(_ text: String = "") {
    write(text + "\n", to: isReservedForJSON.withLock { $0 } ? STDERR_FILENO : STDOUT_FILENO)
  }

  /// The terminal's width; 80 where it does not say.
  static var columns: Int {
    var size = winsize()
    return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// The text, cut to so many characters; sequences that paint take no room, and what is painted ends.
  static func cut(_ text: String, to columns: Int) -> String {
    var kept = ""
    var room = columns
    var isSequence = false
    for character in text {
      if character == "\u{1B}" { isSequence = true }
      if !isSequence {
        guard room > 0 else { return kept + "\u{1B}[0m" }
        room -= 1
      } else if character.isLetter {
        isSequence = false
      }
      kept.append(character)
    }
    return kept
  }

  /// One sentence on standard error.
  static func error(_ text: String) {
    let label = isatty(STDERR_FILENO) == 1 ? "\u{1B}[31merror:\u{1B}[0m" : "error:"
    write("\(label) \(text)\n", to: STDERR_FILENO)
  }

  /// JSON with sorted keys, so that equal values print equal bytes.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    write(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n", to: STDOUT_FILENO)
  }

  /// The same on one line, for values that come one after another.
  static func jsonLine(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    write(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n", to: STDOUT_FILENO)
  }

  /// Writes all of it. When standard output takes no more, the command ends: quietly if its reader has gone, else with
  /// a sentence; what goes to standard error (logs, sentences) is dropped where it cannot be written.
  static func write(_ text: String, to descriptor: Int32) {
    let bytes = [UInt8](text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(descriptor, $0.baseAddress! + written, bytes.count - written)
      }
      if count >= 0 {
        written += count
      } else if errno == EAGAIN {
        usleep(1_000)
      } else if errno != EINTR {
        guard descriptor == STDOUT_FILENO else { return }
        if errno != EPIPE { error("Cannot write to standard output: \(String(cString: strerror(errno)))") }
        Foundation.exit(ExitStatus.environment.rawValue)
      }
    }
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
      // A line that wraps would be two, and the next drawing would begin too low.
      for line in lines { text += "\u{1B}[2K\(Console.cut(line.live, to: Console.columns))\n" }
      drawn = lines.count
      Console.write(text, to: STDOUT_FILENO)
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
