import SyncProof
import SyncRuntime

/// The packages that a toolchain is made of, to the version, and how they are put together.
///
/// ```
/// # synchronicity toolchain, version 1
/// # variant: extract
/// # include: bash,busybox-static
/// # digest: <SHA-256 of the tar>
/// bash 5.2.15-2+b7 amd64
/// ```
///
/// `essential` has Debian's essential packages installed with their scripts; `extract` has packages unpacked and no
/// more, in the order of the lines.
public struct ToolchainLock: Sendable, Equatable {
  public enum Variant: String, Sendable { case essential, extract }

  public struct Package: Sendable, Hashable {
    public let name: String
    public let version: String
    public let architecture: String
  }

  public let variant: Variant
  /// What was asked for; the rest are dependencies.
  public let include: [String]
  /// Of the toolchain.
  public let digest: Digest
  public let packages: [Package]

  static let bytesMax = 1 << 20
  private static let packagesMax = 4_096

  /// - Throws: ``PluginError/Code/invalid`` with what is wrong.
  public init(parsing bytes: [UInt8]) throws(PluginError) {
    func wrong(_ what: String) -> PluginError { PluginError(.invalid, "This is no lock file of a toolchain: \(what)") }
    guard bytes.count <= Self.bytesMax, let text = String(validating: bytes, as: UTF8.self), text.hasSuffix("\n") else {
      throw wrong("it is not text of at most \(Self.bytesMax) bytes that ends with a line feed")
    }
    let lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
    let heads = ["# variant: ", "# include: ", "# digest: "]
    guard lines.count > 4, lines[0] == "# synchronicity toolchain, version 1",
      zip(heads, lines[1...3]).allSatisfy({ $1.hasPrefix($0) })
    else { throw wrong("its first four lines are not version, variant, include and digest") }
    let values = zip(heads, lines[1...3]).map { $1.dropFirst($0.count) }
    guard let variant = Variant(rawValue: String(values[0])), let digest = Digest(hex: values[2].utf8) else {
      throw wrong("its variant is '\(values[0].prefix(64))', its digest '\(values[2].prefix(80))'")
    }
    let include = values[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    var packages: [Package] = []
    for line in lines[4...] {
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 3, words.allSatisfy(Self.isWord), packages.count < Self.packagesMax else {
        throw wrong("'\(line.prefix(200))' is not: package version architecture")
      }
      packages.append(
        Package(name: String(words[0]), version: String(words[1]), architecture: String(words[2])))
    }
    guard include.allSatisfy({ Self.isWord($0[...]) }), Set(packages.map(\.name)).count == packages.count else {
      throw wrong("a package is named twice, or include names none")
    }
    (self.variant, self.include, self.digest, self.packages) = (variant, include, digest, packages)
  }

  /// What package names, versions and architectures are made of; nothing that looks like an option.
  private static func isWord(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 128, first != UInt8(ascii: "-") else { return false }
    return text.utf8.allSatisfy { c in
      (0x30...0x39).contains(c) || (0x61...0x7a).contains(c | 0x20) || "+-.~:".utf8.contains(c)
    }
  }
}
