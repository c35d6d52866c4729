import SyncProof
import SyncRuntime

/// What cargo says when it refuses to describe or to lock a crate.
enum CargoRefusal {
  /// cargo's own words where there are some, from its error to the innermost cause, on one line and without the
  /// sandbox's paths, which tell nobody anything.
  static func reason(_ result: SandboxResult) -> String {
    let lines = String(decoding: result.transcript.suffix(1 << 16), as: UTF8.self).split(separator: "\n")
    guard let first = lines.firstIndex(where: { $0.hasPrefix("error") }) else {
      return "\(lines.last ?? "it printed nothing") (\(result.termination))"
    }
    let silent = ["Caused by:", "recipe:", "note:", "help:", "location searched:", "As a reminder,"]
    let words = lines[first...].map { $0.drop { $0 == " " } }.filter { line in
      !silent.contains { line.hasPrefix($0) }
    }
    let text = words.joined(separator: "; ").replacing(" (/build/src)", with: "")
      .replacing("/build/src/", with: "")
    return text.count > 600 ? "\(text.prefix(250)) ... \(text.suffix(350))" : text
  }
}

/// Whether the toolchain's compiler is new enough for what the crates say of themselves.
enum CompilerVersion {
  /// - Parameters:
  ///   - rustc: What `rustc -vV` prints.
  ///   - crates: Each with the oldest compiler that it takes.
  /// - Throws: ``PluginError/Code/compilerTooOld`` for the first that wants a newer one.
  static func check(rustc: String, crates: [(name: String, compiler: String?)]) throws(PluginError) {
    let release = rustc.split(separator: "\n").first { $0.hasPrefix("release: ") }?.dropFirst("release: ".count)
    // A nightly or beta of a release has what the release has.
    guard let release, let own = parts(release.prefix { $0 != "-" }) else { return }
    for (name, compiler) in crates {
      guard let compiler, let wanted = parts(compiler[...]), own.lexicographicallyPrecedes(wanted) else { continue }
      throw PluginError(
        named: .needsNewerCompiler,
        "\(name) wants rustc \(compiler) or later, the toolchain has \(release); use a newer toolchain")
    }
  }

  /// `1.63` is `1.63.0`; the rest of a version does not count.
  private static func parts(_ text: Substring) -> [UInt64]? {
    let numbers = text.split(separator: ".", omittingEmptySubsequences: false).map(CrateVersion.number)
    guard (1...3).contains(numbers.count), numbers.allSatisfy({ $0 != nil }) else { return nil }
    return numbers.compactMap(\.self) + Array(repeating: 0, count: 3 - numbers.count)
  }
}
