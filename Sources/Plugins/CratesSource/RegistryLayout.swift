/// Where things are in a registry.
///
/// Source: the Cargo book, "Registry index", "Index files" and "Index protocols".
enum RegistryLayout {
  /// The folder of a crate's file in the index, in the case of `name`: `1`, `2`, `3/a` or `ab/cd`.
  static func prefix(_ name: String) -> String {
    let letters = Array(name)
    return switch letters.count {
    case ...2: "\(letters.count)"
    case 3: "3/\(letters[0])"
    default: "\(letters[0])\(letters[1])/\(letters[2])\(letters[3])"
    }
  }

  /// - Parameter name: Valid by ``CrateName``.
  static func indexPath(_ name: String) -> String { "\(prefix(name.lowercased()))/\(name.lowercased())" }

  /// The archive's address by the `dl` of the registry's configuration.
  static func download(_ template: String, name: String, version: String, checksum: String) -> String {
    let markers = [
      ("{crate}", name), ("{version}", version), ("{prefix}", prefix(name)),
      ("{lowerprefix}", prefix(name.lowercased())), ("{sha256-checksum}", checksum),
    ]
    guard markers.contains(where: { template.contains($0.0) }) else {
      return "\(template)/\(name)/\(version)/download"
    }
    return markers.reduce(template) { $0.replacing($1.0, with: $1.1) }
  }
}
