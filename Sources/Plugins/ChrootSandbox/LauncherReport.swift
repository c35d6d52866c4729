import SyncRuntime

/// What the launcher writes to its standard error: lines of a word and its values.
struct LauncherReport {
  private(set) var fault: PluginError?
  private(set) var termination: SandboxTermination?
  private(set) var wallNanoseconds: UInt64 = 0
  private(set) var cpuNanoseconds: UInt64?
  private(set) var memoryPeakBytes: UInt64?

  /// Lines that are no report (a C library's last words) are passed over.
  init(parsing bytes: [UInt8]) {
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      guard words.count > 1 else { continue }
      switch words[0] {
      case "fault":
        guard fault == nil, let code = Int32(words[1]) else { continue }
        fault = PluginError(.init(rawValue: code), words.count > 2 ? words[2] : "The sandbox failed")
      case "end": termination = Self.termination(words[1], value: words.count > 2 ? Int32(words[2]) : nil)
      case "wall": wallNanoseconds = UInt64(words[1]) ?? 0
      case "cpu": cpuNanoseconds = UInt64(words[1])
      case "memory": memoryPeakBytes = UInt64(words[1])
      default: continue
      }
    }
  }

  private static func termination(_ word: String, value: Int32?) -> SandboxTermination? {
    switch (word, value) {
    case ("exited", let status?): .exited(status: status)
    case ("signalled", let number?): .signalled(number)
    case ("wall", nil): .wallTimeExceeded
    case ("cpu", nil): .cpuTimeExceeded
    case ("memory", nil): .memoryExceeded
    case ("processes", nil): .processesExceeded
    case ("disk", nil): .diskExceeded
    case ("transcript", nil): .transcriptExceeded
    default: nil
    }
  }
}
