import Foundation
import Testing

/// `tooLarge` as C writes it: `TOO_LARGE`.
func upperSnakeCase(_ name: Substring) -> String {
  var out = ""
  for character in name {
    if character.isUppercase { out.append("_") }
    out += character.uppercased()
  }
  return out
}

/// `static let NAME = Code(rawValue: N)` or `ProofError.Code(rawValue: N)` of Swift, by the name C would give it.
func codes(inSwift text: String) -> [String: Int] {
  var found: [String: Int] = [:]
  for match in text.matches(of: /static let (\w+) = (?:ProofError\.)?Code\(rawValue: (\d+)\)/) {
    found[upperSnakeCase(match.1)] = Int(match.2)
  }
  return found
}

/// `#define SYNC_ERROR_NAME N` of C, below the numbers that C alone has.
func codes(inHeader text: String) -> [String: Int] {
  var found: [String: Int] = [:]
  for match in text.matches(of: /#define SYNC_ERROR_(\w+) (\d+)/) {
    if let number = Int(match.2), number < 100 { found[String(match.1)] = number }
  }
  return found
}

@Suite("One list of refusals")
struct StatusTests {
  @Test("C's status numbers are SyncProof's error codes")
  func statusNumbers() throws {
    let repository = Repository.here
    var swift: [String: Int] = [:]
    for path in repository.paths(below: "Sources/SyncProof", extensions: ["swift"]) {
      swift.merge(codes(inSwift: try repository.text(path))) { a, _ in a }
    }
    try #require(swift["MALFORMED"] == 1)
    #expect(swift == codes(inHeader: try repository.text("include/sync/version.h")))
    #expect(Set(swift.values).count == swift.count, "a number is used twice")
  }

  @Test("Both lists are read")
  func plantedLists() {
    let swift = "  public static let tooLarge = Code(rawValue: 2)\n  static let x = ProofError.Code(rawValue: 3)\n"
    #expect(codes(inSwift: swift) == ["TOO_LARGE": 2, "X": 3])
    #expect(codes(inHeader: "#define SYNC_ERROR_TOO_LARGE 2\n#define SYNC_ERROR_CALL 100\n") == ["TOO_LARGE": 2])
  }
}
