import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import SodiumSigner

@Suite struct SodiumSignerTests {
  private static let seed = [UInt8]((0..<32).map { UInt8($0) })

  /// Made by another HKDF (Python's hmac) and another Ed25519 (OpenSSL's).
  private static let goldenKeys = [
    "log 0a4ec0334b8b568e87ae3bf9eb23ddc83d0c9c31dc1a1f2ff1b06bc96e00312f",
    "cosigner 0bb428d239f7f0dff8206e4185a03a1466e531a1882a75a2413252d1f08301a7",
    "builder a3ab1b52a0e42b848566a8d2cf11ca3a292378c0ce0040f53fa96f4b1022242f",
    "consensus 1b6b5452b7e8079b861001012fcb76f3dd041a46b44b821c24037a86134bd186",
    "transport 21c12d579f921850e2e753730642778e7ea2de5f62780285f1e949d5239fba6b",
  ]

  @Test func conformsToSigner() async {
    let findings = await SignerCompatTest { try SodiumSigner(seed: SodiumSignerTests.seed) }.run()
    for finding in findings { #expect(finding.hasPassed, "\(finding)") }
    #expect(findings.count == 5)
  }

  // MARK: Derivation

  struct DerivationRow: CustomTestStringConvertible, Sendable {
    let name: String
    let material: String
    let salt: String
    let info: String
    let output: String
    var testDescription: String { name }
  }

  /// Source: RFC 5869, appendix A.1 to A.3.
  static let derivationRows = [
    DerivationRow(
      name: "RFC 5869 A.1", material: String(repeating: "0b", count: 22), salt: "000102030405060708090a0b0c",
      info: "f0f1f2f3f4f5f6f7f8f9",
      output: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
    DerivationRow(
      name: "RFC 5869 A.2", material: hexRange(0x00, 0x4F), salt: hexRange(0x60, 0xAF), info: hexRange(0xB0, 0xFF),
      output: """
        b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
        59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
        cc30c58179ec3e87c14c01d5c1f3434f1d87
        """),
    DerivationRow(
      name: "RFC 5869 A.3", material: String(repeating: "0b", count: 22), salt: "", info: "",
      output: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
  ]

  private static func hexRange(_ low: UInt8, _ high: UInt8) -> String {
    String(decoding: Hex.encode(low...high), as: UTF8.self)
  }

  @Test(arguments: derivationRows) func derivesAsTheRFC(_ row: DerivationRow) throws {
    let expected = try #require(Hex.decode(row.output.utf8))
    let salt = try #require(Hex.decode(row.salt.utf8))
    let info = try #require(Hex.decode(row.info.utf8))
    var material = try #require(Hex.decode(row.material.utf8))
    func derive() -> [UInt8] {
      var output = [UInt8](repeating: 0, count: expected.count)
      material.withUnsafeBufferPointer {
        HKDF.derive(from: $0, salt: salt, info: info, into: &output, outputByteCount: expected.count)
      }
      return output
    }
    #expect(derive() == expected)
    material[0] ^= 1
    #expect(derive() != expected)
  }

  /// These keys must never change: a group file holds them.
  @Test func keysAreTheOnesOfTheSeed() throws {
    let signer = try SodiumSigner(seed: SodiumSignerTests.seed)
    let keys = try KeyRole.allCases.map {
      "\($0.rawValue) " + String(decoding: Hex.encode(try signer.publicKey(for: $0).bytes), as: UTF8.self)
    }
    #expect(keys == SodiumSignerTests.goldenKeys)
  }

  // MARK: Mnemonic

  /// Source: BIP-39's test vectors for 256 bits, and the reference implementation for the last row.
  static let mnemonicRows: [(entropy: String, words: String)] = [
    (
      String(repeating: "00", count: 32),
      String(repeating: "abandon ", count: 23) + "art"
    ),
    (
      String(repeating: "7f", count: 32),
      """
      legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal \
      winner thank year wave sausage worth title
      """
    ),
    (
      String(repeating: "80", count: 32),
      """
      letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid \
      letter advice cage absurd amount doctor acoustic bless
      """
    ),
    (String(repeating: "ff", count: 32), String(repeating: "zoo ", count: 23) + "vote"),
    (
      "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
      """
      hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple \
      dilemma loan word shrug inflict delay length
      """
    ),
    (
      "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
      """
      void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group \
      space point ten exist slush involve unfold
      """
    ),
  ]

  @Test(arguments: mnemonicRows) func mnemonicsAreThoseOfBIP39(_ row: (entropy: String, words: String)) throws {
    let entropy = try #require(Hex.decode(row.entropy.utf8))
    #expect(try SodiumSigner(seed: entropy).mnemonic == row.words)
    #expect(try SodiumSigner.seed(fromMnemonic: row.words) == entropy)
    #expect(try SodiumSigner.seed(fromMnemonic: "\n  " + row.words.uppercased() + "  \n") == entropy)
    let swapped = row.words.split(separator: " ").reversed().joined(separator: " ")
    #expect(throws: PluginError(.invalid, "")) { try SodiumSigner.seed(fromMnemonic: swapped) }
  }

  @Test func wordListIsTheOfficialOne() {
    let digest = SHA256.hash(PackageResources.bip39_english_txt).hex
    #expect(digest == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda")
    #expect(Mnemonic.list.count == 2_048)
    #expect(Mnemonic.list == Mnemonic.list.sorted())
  }

  static let badMnemonics: [(name: String, words: String, part: String)] = [
    ("no word", "", "has 0 words"),
    ("23 words", String(repeating: "abandon ", count: 23), "has 23 words"),
    ("25 words", String(repeating: "abandon ", count: 24) + "art", "has 25 words"),
    ("unknown word", "abandom " + String(repeating: "abandon ", count: 22) + "art", "Word 1 "),
    ("unknown last word", String(repeating: "abandon ", count: 23) + "zzzz", "Word 24 "),
    ("wrong checksum", String(repeating: "abandon ", count: 24), "checksum"),
  ]

  @Test(arguments: badMnemonics) func badMnemonicsAreExplained(_ row: (name: String, words: String, part: String)) {
    let error = #expect(throws: PluginError.self) { try SodiumSigner.seed(fromMnemonic: row.words) }
    #expect(error?.code == .invalid)
    #expect(error?.message.contains(row.part) == true)
    #expect(error?.message.contains("abando") == false, "a message must not repeat the words")
  }

  // MARK: Seed file

  @Test func seedFileIsPrivateAndGivesTheSameKeys() throws {
    try withFolder { folder in
      let path = folder + "/seed.hex"
      try SodiumSigner.createSeedFile(at: path)
      let content = try Data(contentsOf: URL(filePath: path))
      #expect(content.count == 65 && content.last == 0x0A)
      #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
      let (first, second) = (try SodiumSigner(seedFile: path), try SodiumSigner(seedFile: path))
      #expect(try first.publicKey(for: .builder) == second.publicKey(for: .builder))

      let copy = folder + "/copy.hex"
      try SodiumSigner.createSeedFile(at: copy, seed: SodiumSigner.seed(fromMnemonic: first.mnemonic))
      #expect(try Data(contentsOf: URL(filePath: copy)) == content)
    }
  }

  @Test func seedFileIsNeverOverwritten() throws {
    try withFolder { folder in
      let path = folder + "/seed.hex"
      try SodiumSigner.createSeedFile(at: path)
      let content = try Data(contentsOf: URL(filePath: path))
      #expect(throws: PluginError(.invalid, "")) { try SodiumSigner.createSeedFile(at: path) }
      #expect(try Data(contentsOf: URL(filePath: path)) == content)
    }
  }

  @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o777]) func seedFileThatOthersMayReadIsRefused(_ mode: Int) throws {
    try withFolder { folder in
      let path = folder + "/seed.hex"
      try SodiumSigner.createSeedFile(at: path)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
      let error = #expect(throws: PluginError.self) { try SodiumSigner(seedFile: path) }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("chmod 600 '\(path)'") == true)
    }
  }

  static let badFiles: [(name: String, content: String)] = [
    ("empty", ""),
    ("no line feed", String(repeating: "0", count: 64)),
    ("upper case", String(repeating: "A", count: 64) + "\n"),
    ("too short", String(repeating: "0", count: 62) + "\n"),
    ("too long", String(repeating: "0", count: 66) + "\n"),
    ("carriage return", String(repeating: "0", count: 64) + "\r\n"),
    ("second line", String(repeating: "0", count: 64) + "\n\n"),
    ("not hexadecimal", String(repeating: "g", count: 64) + "\n"),
  ]

  @Test(arguments: badFiles) func badSeedFilesAreRefused(_ row: (name: String, content: String)) throws {
    try withFolder { folder in
      let path = folder + "/seed.hex"
      let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
      #expect(FileManager.default.createFile(atPath: path, contents: Data(row.content.utf8), attributes: attributes))
      #expect(throws: PluginError(.invalid, "")) { try SodiumSigner(seedFile: path) }
    }
  }

  @Test func missingFileAndFolderAreToldApart() throws {
    try withFolder { folder in
      #expect(throws: PluginError(.notFound, "")) { try SodiumSigner(seedFile: folder + "/none") }
      #expect(throws: PluginError(.invalid, "")) { try SodiumSigner(seedFile: folder) }
      #expect(throws: PluginError(.io, "")) { try SodiumSigner.createSeedFile(at: folder + "/none/seed.hex") }
    }
  }

  @Test func seedsOfAnotherLengthAreRefused() {
    for count in [0, 31, 33, 64] {
      #expect(throws: PluginError(.invalid, "")) { try SodiumSigner(seed: [UInt8](repeating: 1, count: count)) }
    }
  }

  @Test func descriptionsShowNoKey() throws {
    let signer = try SodiumSigner(seed: SodiumSignerTests.seed)
    var dumped = ""
    dump(signer, to: &dumped)
    for text in ["\(signer)", String(reflecting: signer), dumped] {
      #expect(!text.contains("0001020304") && !text.contains("seed"))
    }
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "signer-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }
}
