/// Why a package cannot be prepared for a build. Sources throw these beside the general codes; each is the asker's to
/// mend, but for ``unreachable`` and ``authenticationRequired``.
extension PluginError.Code {
  /// The package has no manifest: for a crate, no `Cargo.toml`.
  public static let manifestMissing = Self(rawValue: 64)
  /// A dependency, or the wanted range of its versions, is not there.
  public static let dependencyMissing = Self(rawValue: 65)
  /// The only version that fits was withdrawn by its author.
  public static let yanked = Self(rawValue: 66)
  /// A package depends on itself, directly or through others.
  public static let cyclicDependency = Self(rawValue: 67)
  /// The package, or a dependency, lacks a feature that is asked for.
  public static let featureMissing = Self(rawValue: 68)
  /// The package wants a newer compiler than the toolchain's.
  public static let compilerTooOld = Self(rawValue: 70)
  /// The registry does not answer, or only with errors of its own.
  public static let unreachable = Self(rawValue: 71)
  /// The registry wants a token, which no builder has.
  public static let authenticationRequired = Self(rawValue: 72)
  /// The toolchain cannot build for the wanted target.
  public static let targetMissing = Self(rawValue: 73)
  /// The package has no profile of that name.
  public static let profileMissing = Self(rawValue: 74)
  /// The package has no such program, or no library.
  public static let programMissing = Self(rawValue: 75)
}
