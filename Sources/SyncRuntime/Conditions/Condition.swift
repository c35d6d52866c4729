import SyncProof

/// Something of a build's surroundings that its bytes may depend on, and that ``ReproducibilityCheck`` can vary.
public enum Condition: String, CaseIterable, Sendable, Codable {
  case clock
  case cpus
  case environment
  case hostName = "host-name"
  case kernel
  case locale
  case path
  case random
  case readdir
  case sourceDateEpoch = "source-date-epoch"
  case timeZone = "time-zone"
  case umask
  case user

  /// Who sees to it that all builders have the same.
  public enum Holder: String, Sendable, Codable {
    /// Nobody: it differs from builder to builder.
    case nobody
    /// Every sandbox.
    case sandbox
    /// The spec's environment, and the paths and the umask of its recipe.
    case spec
    /// The prelude that the spec asked for, see ``Normalisation``.
    case normalisation
  }

  /// For people: what is varied.
  public var title: String {
    switch self {
    case .clock: "date and time"
    case .cpus: "number of processors"
    case .environment: "variables of the environment"
    case .hostName: "host name"
    case .kernel: "kernel and processor"
    case .locale: "language and locale"
    case .path: "folder of the build"
    case .random: "random numbers"
    case .readdir: "order of the names in a folder"
    case .sourceDateEpoch: "SOURCE_DATE_EPOCH"
    case .timeZone: "time zone"
    case .umask: "umask"
    case .user: "user and home"
    }
  }

  public func holder(in spec: BuildSpec) -> Holder {
    switch self {
    case .clock, .cpus, .kernel, .random, .readdir:
      Normalisation.named(in: spec).contains(rawValue) ? .normalisation : .nobody
    case .hostName: .sandbox
    case .environment, .locale, .path, .sourceDateEpoch, .timeZone, .umask, .user: .spec
    }
  }

  /// Nearly every compiled artifact names the folder that it was built in, and no sandbox lets that differ: it is
  /// varied on request alone.
  public static let usual = allCases.filter { $0 != .path }

  /// - Parameter names: Names of conditions, or `usual`, `all` and `free` (what nobody holds).
  /// - Throws: ``PluginError/Code/invalid`` for a name that is none, or for no name at all.
  public static func parse(_ names: [String], spec: BuildSpec) throws(PluginError) -> [Condition] {
    var found: Set<Condition> = []
    for name in names {
      switch name {
      case "all": found.formUnion(allCases)
      case "usual": found.formUnion(usual)
      case "free": found.formUnion(allCases.filter { $0.holder(in: spec) == .nobody })
      default:
        guard let condition = Condition(rawValue: name) else {
          let known = allCases.map(\.rawValue).joined(separator: ", ")
          throw PluginError(.invalid, "There is no condition '\(name)'; there are usual, all, free, \(known)")
        }
        found.insert(condition)
      }
    }
    guard !found.isEmpty else { throw PluginError(.invalid, "No condition is named; nothing would be varied") }
    return allCases.filter(found.contains)
  }

  /// Whether it is changed by the library that is loaded before libc, which the toolchain's compiler makes.
  var needsLibrary: Bool {
    switch self {
    case .clock, .cpus, .kernel, .random, .readdir, .umask: true
    case .environment, .hostName, .locale, .path, .sourceDateEpoch, .timeZone, .user: false
    }
  }

  /// Texts that the varied value leaves where a build writes it down: whoever holds one is suspected first.
  var traces: [String] {
    switch self {
    case .environment: [BuildConditions.noise]
    case .hostName: [BuildConditions.otherHost]
    case .kernel: [BuildConditions.otherKernel]
    case .locale: ["tr_TR"]
    case .path: [BuildConditions.otherFolder]
    case .sourceDateEpoch: [BuildConditions.otherEpoch, "Dec 14 1980", "1980-12-14"]
    case .timeZone: ["NZST", "NZDT"]
    case .user: [BuildConditions.otherUser]
    case .clock, .cpus, .random, .readdir, .umask: []
    }
  }
}
