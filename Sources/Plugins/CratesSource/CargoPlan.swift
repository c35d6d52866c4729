import SyncProof
import SyncRuntime

/// What the toolchain's cargo and rustc say of a crate and of themselves.
struct CargoFacts {
  let manifest: CrateManifest
  /// What `rustc -vV` prints.
  let rustc: String
  let host: String
  /// What rustc has a core library for.
  let targets: [String]
  /// Profiles that have a table in the manifest.
  let profiles: [String]
}

/// What cargo builds of a crate, and which files that leaves.
struct CargoPlan {
  static let usualDirectory = "release"
  private static let builtIn = ["dev": "debug", "release": usualDirectory]
  /// What cargo keeps for itself, or names folders after.
  private static let reserved: Set<String> = ["bench", "debug", "doc", "test"]

  let profile: String
  let target: String
  /// For `cargo build`; none for a release build of everything.
  private(set) var options: [String] = []
  /// Below `target`.
  let directory: String
  /// File names below ``directory``, sorted.
  let artifacts: [String]

  /// - Parameter features: Those that are on.
  /// - Throws: ``PluginError`` with ``PluginError/Code/profileMissing``, ``PluginError/Code/targetMissing``,
  ///   ``PluginError/Code/programMissing``, or ``PluginError/Code/featureMissing`` for a program that needs one.
  init(_ selection: BuildSelection, manifest: CrateManifest, features: Set<String>, facts: CargoFacts)
    throws(PluginError)
  {
    profile = selection.profile ?? "release"
    let own = facts.profiles.filter { !Self.reserved.contains($0) && Self.builtIn[$0] == nil }
    guard Self.builtIn[profile] != nil || own.contains(profile) && profile.utf8.allSatisfy(Self.isWord) else {
      let known = (Self.builtIn.keys + own).sorted().prefix(50).joined(separator: ", ")
      throw PluginError(.profileMissing, "\(manifest.name) has no profile '\(profile)'; it has: \(known)")
    }
    target = selection.target ?? facts.host
    let isForeign = target != facts.host
    guard !isForeign || facts.targets.contains(target) && target.utf8.allSatisfy(Self.isWord) else {
      throw PluginError(
        .targetMissing,
        "The toolchain's rustc does not build for '\(target)', only for: \(facts.targets.joined(separator: ", ")); "
          + "use a toolchain that has its libraries")
    }
    let chosen = try Self.chosen(selection, manifest: manifest, features: features)
    guard !isForeign || !chosen.contains(where: { $0.kind.contains("proc-macro") }) else {
      throw PluginError(
        .targetMissing, "\(manifest.name) is a procedural macro, which runs in the compiler: leave the target out")
    }
    let folder = Self.builtIn[profile] ?? profile
    directory = isForeign ? "\(target)/\(folder)" : folder
    let names = TargetFiles(triple: target)
    artifacts = Set(chosen.flatMap(names.files)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var asked = selection
    if profile == "release" { asked.profile = nil }
    if !isForeign { asked.target = nil }
    if asked.isDefault { return }
    options = ["--profile", profile] + (isForeign ? ["--target", target] : [])
    if !selection.withDefaultFeatures { options.append("--no-default-features") }
    if selection.library { options.append("--lib") }
    for program in Set(selection.programs).sorted() { options += ["--bin", program] }
  }

  /// What is asked for; without a word of it, all that the features allow, as cargo does it.
  private static func chosen(_ selection: BuildSelection, manifest: CrateManifest, features: Set<String>)
    throws(PluginError) -> [CrateManifest.Target]
  {
    func lacking(_ target: CrateManifest.Target) -> [String] {
      (target.requiredFeatures ?? []).filter { !features.contains($0) }
    }
    guard selection.library || !selection.programs.isEmpty else {
      return manifest.targets.filter { lacking($0).isEmpty }
    }
    var chosen = selection.library ? manifest.targets.filter(\.isLibrary) : []
    guard !selection.library || !chosen.isEmpty else {
      throw PluginError(.programMissing, "\(manifest.name) has no library; name programs alone")
    }
    let programs = manifest.targets.filter(\.isProgram)
    for name in Set(selection.programs).sorted() {
      guard let program = programs.first(where: { $0.name == name }), name.utf8.allSatisfy(isWord) else {
        let known = programs.map(\.name).sorted().prefix(50).joined(separator: ", ")
        throw PluginError(
          .programMissing, "\(manifest.name) has no program '\(name)'; it has: \(known.isEmpty ? "none" : known)")
      }
      chosen.append(program)
    }
    for target in chosen where !lacking(target).isEmpty {
      throw PluginError(
        named: .featureAbsent,
        "\(target.name) of \(manifest.name) is built only with the features \(lacking(target).joined(separator: ", "))")
    }
    return chosen
  }

  private static func isWord(_ c: UInt8) -> Bool {
    (0x30...0x39).contains(c) || (0x61...0x7a).contains(c | 0x20) || "-_.".utf8.contains(c)
  }
}

extension CrateManifest.Target {
  private static let libraries: Set<String> = ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"]

  var isLibrary: Bool { !Self.libraries.isDisjoint(with: kind) }
  var isProgram: Bool { kind.contains("bin") }
}

/// How rustc names files for a target.
private struct TargetFiles {
  let triple: String

  private var isWindows: Bool { triple.contains("-windows") }
  private var isApple: Bool { triple.contains("-apple-") }
  private var isBareWasm: Bool { triple.hasPrefix("wasm") && !triple.hasSuffix("emscripten") }

  func files(of target: CrateManifest.Target) -> [String] {
    let library = target.name.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "_")
    return target.kind.compactMap { kind in
      switch kind {
      case "lib", "rlib": "lib\(library).rlib"
      case "proc-macro", "cdylib", "dylib": shared(library)
      case "staticlib": triple.hasSuffix("-msvc") ? "\(library).lib" : "lib\(library).a"
      case "bin": target.name + (isWindows ? ".exe" : isBareWasm ? ".wasm" : "")
      default: nil
      }
    }
  }

  private func shared(_ library: String) -> String {
    if isWindows { return "\(library).dll" }
    if isBareWasm { return "\(library).wasm" }
    return "lib\(library)." + (isApple ? "dylib" : "so")
  }
}
