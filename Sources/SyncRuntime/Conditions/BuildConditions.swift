import Foundation
import SyncProof

/// Under which conditions one rebuild takes place: those of every build, but for what is varied or held still.
public struct BuildConditions: Sendable, Equatable {
  /// Every one of these has another value than in an ordinary build.
  public var varied: Set<Condition>
  /// Seconds since 1970 at which the clock stands, with random numbers from a seed; `nil` in an ordinary build.
  public var still: UInt64?

  public init(varied: Set<Condition> = [], still: UInt64? = nil) { (self.varied, self.still) = (varied, still) }

  static let otherHost = "other-host"
  static let otherUser = "mallory"
  static let otherKernel = "4.4.302-other"
  static let otherFolder = "/elsewhere/build"
  static let noise = "noise-of-check"
  /// 1980-12-14.
  static let otherEpoch = "345600000"
  /// 400 days and some hours, minutes and seconds.
  static let clockAheadSeconds: UInt64 = 34_599_599
  private static let folder = "/build"

  /// What the library reads at each program's start; empty when it has nothing to do.
  var settings: String {
    var lines: [String] = []
    let ahead = varied.contains(.clock) ? Self.clockAheadSeconds : 0
    if let still {
      lines += ["clock-at \(still + ahead)", "random \(varied.contains(.random) ? 2 : 1)"]
    } else if ahead > 0 {
      lines.append("clock-ahead \(ahead)")
    }
    if varied.contains(.cpus) { lines.append("cpus 1") }
    if varied.contains(.kernel) { lines.append("kernel \(Self.otherKernel)") }
    if varied.contains(.readdir) { lines.append("readdir 2") }
    if varied.contains(.umask) { lines.append("umask 2") }
    return lines.map { $0 + "\n" }.joined()
  }

  /// Changes what the sandbox itself is asked for; the rest is the library's.
  func change(_ request: inout SandboxRequest) {
    if varied.contains(.hostName) { request.hostName = Self.otherHost }
    for (name, value) in otherVariables(request.environment) {
      request.environment.removeAll { $0.name == name }
      request.environment.append((name, value))
    }
    if varied.contains(.path) {
      request.workingDirectory = Self.moved(request.workingDirectory)
      request.environment = request.environment.map { ($0.name, Self.moved($0.value)) }
    }
    request.environment.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  private func otherVariables(_ present: [(name: String, value: String)]) -> [(String, String)] {
    var others: [(String, String)] = []
    if varied.contains(.timeZone) { others.append(("TZ", "NZST-12NZDT,M9.5.0,M4.1.0/3")) }
    if varied.contains(.locale) {
      others += [("LC_ALL", "C"), ("LANG", "tr_TR.UTF-8"), ("LANGUAGE", "tr_TR")]
    }
    if varied.contains(.user) {
      others += [("HOME", "/build/\(Self.otherUser)"), ("USER", Self.otherUser), ("LOGNAME", Self.otherUser)]
    }
    if varied.contains(.sourceDateEpoch) { others.append(("SOURCE_DATE_EPOCH", Self.otherEpoch)) }
    if varied.contains(.environment) {
      let names = ["BUILD_ID", "BUILD_NUMBER", "EDITOR", "GIT_COMMIT", "MAIL", "NOISE", "SHLVL"]
      for name in names where !present.contains(where: { $0.name == name }) { others.append((name, Self.noise)) }
    }
    return others
  }

  /// The text with the build's folder under another name wherever it stands as a path.
  static func moved(_ text: String) -> String {
    var bytes: [UInt8] = []
    let (old, all) = (Array(folder.utf8), Array(text.utf8))
    var i = 0
    while i < all.count {
      let end = i + old.count
      guard end <= all.count, all[i..<end].elementsEqual(old), i == 0 || !isOfPath(all[i - 1]),
        end == all.count || all[end] == UInt8(ascii: "/") || !isOfPath(all[end])
      else {
        bytes.append(all[i])
        i += 1
        continue
      }
      bytes += otherFolder.utf8
      i = end
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isOfPath(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
      UInt8(ascii: "/"):
      true
    default: false
    }
  }
}
