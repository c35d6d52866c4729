import SyncProof

/// A condition that builders do not share, which a build asks its own recipe to hold still.
///
/// What every build has held needs no name: paths, SOURCE_DATE_EPOCH, host name, user, umask, locale, time zone and
/// environment are fixed by the sandbox and the spec. These are asked for one by one, since each has a price. They are
/// text of the spec (the variable ``variable`` and a prelude of the recipe), so part of the job's identity.
public enum Normalisation: String, CaseIterable, Sendable, Comparable {
  /// The clock on the wall stands at 2024-01-01 00:00:00 UTC.
  case clock
  /// One processor, whichever the host lends.
  case cpus
  /// One name for kernel and processor, in `uname` and in the files of /proc that tell them.
  case kernel
  /// Random bytes from a fixed seed, a stream for each thread.
  case random
  /// Names in a folder come sorted.
  case readdir

  /// The variable of the spec's environment that names the normalisations, sorted, separated by spaces.
  public static let variable = "SYNC_NORMALISE"

  /// - Parameter names: In any order; a name that is given twice counts once.
  /// - Returns: The normalisations, sorted, each once.
  /// - Throws: ``PluginError/Code/invalid`` for a name that is none.
  public static func parse(_ names: [String]) throws(PluginError) -> [Normalisation] {
    var found: Set<Normalisation> = []
    for name in names {
      guard let one = Normalisation(rawValue: name) else {
        let known = allCases.map(\.rawValue).joined(separator: ", ")
        throw PluginError(.invalid, "There is no normalisation '\(name)'; there are \(known)")
      }
      found.insert(one)
    }
    return found.sorted()
  }

  /// What the spec says that its recipe holds, as text: another version may know more of them.
  public static func named(in spec: BuildSpec) -> [String] {
    let value = spec.environment.first { $0.name.string == variable }?.value.string ?? ""
    return value.split(separator: " ").map(String.init)
  }

  public static func < (a: Normalisation, b: Normalisation) -> Bool { a.rawValue < b.rawValue }

  /// The recipe with a prelude before it that holds these; the recipe itself when there are none.
  public static func recipe(_ recipe: [UInt8], holding names: [Normalisation]) -> [UInt8] {
    guard !names.isEmpty else { return recipe }
    let prelude = String(decoding: PackageResources.normalise_sh, as: UTF8.self)
    let parts = prelude.split(separator: "#: library\n", maxSplits: 1).map(String.init)
    precondition(parts.count == 2, "The prelude has a place for the library")
    var text = parts[0]
    if names.contains(where: { $0 != .cpus }) {
      let source = ConditionLibrary.source(sections: names.map(\.rawValue))
      text += "mkdir -p $held\ncat >$held/held.c <<'END'\n\(source)END\n\(parts[1])"
    }
    return [UInt8](text.utf8) + recipe
  }
}

/// The C library that is loaded before libc and holds or changes what libc tells of the host.
enum ConditionLibrary {
  private static let whole = String(decoding: PackageResources.conditions_c, as: UTF8.self)

  /// Sections of `conditions.c` that belong to any of the names, without comments and indentation.
  static func source(sections names: [String]) -> String {
    var isWanted = true
    var text = ""
    for line in whole.split(separator: "\n") {
      let line = line.drop { $0 == " " }
      if line.hasPrefix("//:") {
        isWanted = line.dropFirst(3).split(separator: " ").contains { names.contains(String($0)) }
      } else if isWanted, !line.hasPrefix("//") {
        text += line + "\n"
      }
    }
    return text
  }

  /// What `check` compiles: everything as it is on the host, until the settings file says otherwise.
  static var checking: [UInt8] {
    let defines = "#define CLOCK 0\n#define RANDOM 0\n#define READDIR 0\n#define KERNEL NULL\n"
    return [UInt8](defines.utf8) + PackageResources.conditions_c + PackageResources.settings_c
  }
}
