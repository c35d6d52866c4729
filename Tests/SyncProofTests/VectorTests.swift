import Foundation
import SyncProof
import Testing

@Suite struct VectorTests {
  private struct Inclusion: Decodable {
    let leafIdx: UInt64
    let treeSize: UInt64?
    let start: UInt64?
    let end: UInt64?
    let root: String
    let leafHash: String
    let proof: [String]?
    let wantErr: Bool
  }

  private struct Consistency: Decodable {
    let size1: UInt64?
    let size2: UInt64?
    let start: UInt64?
    let end: UInt64?
    let size: UInt64?
    let root1: String
    let root2: String
    let proof: [String]?
    let wantErr: Bool
  }

  /// A hash that is not 32 bytes cannot be stated to this library, which is a refusal.
  private func digest(_ base64: String) -> Digest? { Base64.decode([UInt8](base64)).flatMap { Digest(bytes: $0) } }

  private func digests(_ list: [String]?) -> [Digest]? {
    var out: [Digest] = []
    for text in list ?? [] {
      guard let digest = digest(text) else { return nil }
      out.append(digest)
    }
    return out
  }

  private func accepts(_ row: Inclusion) -> Bool {
    guard let root = digest(row.root), let leaf = digest(row.leafHash), let path = digests(row.proof) else {
      return false
    }
    return code {
      if let size = row.treeSize {
        try Merkle.verifyInclusion(leafHash: leaf, index: row.leafIdx, treeSize: size, path: path, root: root)
      } else {
        try Merkle.verifySubtreeInclusion(
          leafHash: leaf, index: row.leafIdx, start: row.start!, end: row.end!, path: path, root: root)
      }
    } == nil
  }

  private func accepts(_ row: Consistency) -> Bool {
    // Where a vector's roots are equal but short, equality is all that it asks for.
    guard let path = digests(row.proof) else { return false }
    guard let root1 = digest(row.root1) ?? standIn(row.root1), let root2 = digest(row.root2) ?? standIn(row.root2)
    else { return false }
    return code {
      if let size1 = row.size1 {
        try Merkle.verifyConsistency(
          oldSize: size1, oldRoot: root1, newSize: row.size2!, newRoot: root2, path: path)
      } else {
        try Merkle.verifySubtreeConsistency(
          start: row.start!, end: row.end!, subtreeRoot: root1, treeSize: row.size!, treeRoot: root2, path: path)
      }
    } == nil
  }

  private func standIn(_ base64: String) -> Digest? { Base64.decode([UInt8](base64)).map { SHA256.hash($0) } }

  @Test(arguments: [("inclusion", 90), ("subtreeinclusion", 180)]) func inclusion(_ folder: String, _ least: Int) throws
  {
    guard let folder = try Vectors.folder("merkle-rfc6962/\(folder)") else { return }
    var counts = (accepted: 0, refused: 0)
    for file in try Vectors.files(below: folder) {
      let row = try Vectors.json(Inclusion.self, file)
      #expect(accepts(row) == !row.wantErr, "\(file.path)")
      if row.wantErr { counts.refused += 1 } else { counts.accepted += 1 }
    }
    print("\(folder.lastPathComponent): \(counts)")
    #expect(counts.accepted + counts.refused >= least)
    #expect(counts.accepted >= 5)
  }

  @Test(arguments: [("consistency", 80), ("subtreeconsistency", 100)])
  func consistency(_ folder: String, _ least: Int) throws {
    guard let folder = try Vectors.folder("merkle-rfc6962/\(folder)") else { return }
    var counts = (accepted: 0, refused: 0)
    for file in try Vectors.files(below: folder) {
      let row = try Vectors.json(Consistency.self, file)
      #expect(accepts(row) == !row.wantErr, "\(file.path)")
      if row.wantErr { counts.refused += 1 } else { counts.accepted += 1 }
    }
    print("\(folder.lastPathComponent): \(counts)")
    #expect(counts.accepted + counts.refused >= least)
    #expect(counts.accepted >= 5)
  }

  private struct Notes: Decodable {
    struct BadKey: Decodable { let vkey: String }
    struct Signing: Decodable {
      let text: String
      let signatureLine: String
    }
    struct Case: Decodable {
      let desc: String
      let noteB64: String
      let vkeys: [String]
      let verified: [String]
      let result: String
    }
    let vkeyBad: [BadKey]
    let sign: [Signing]
    let cases: [Case]
  }

  @Test func signedNotes() throws {
    guard let folder = try Vectors.folder("notes-and-checkpoints") else { return }
    let notes = try Vectors.json(Notes.self, folder.appending(path: "signed_note.json"))
    for bad in notes.vkeyBad {
      #expect(code { _ = try NoteKey(vkey: [UInt8](bad.vkey)) } == .invalidKey, "\(bad.vkey)")
    }
    for row in notes.sign {
      let bytes = [UInt8](row.text + "\n" + row.signatureLine)
      #expect(try SignedNote(parsing: bytes).encode() == bytes)
    }
    #expect(notes.cases.count >= 22)
    for row in notes.cases {
      let bytes = try #require(Base64.decode([UInt8](row.noteB64)))
      let keys = try row.vkeys.map { try NoteKey(vkey: [UInt8]($0)) }
      for (key, vkey) in zip(keys, row.vkeys) { #expect(key.vkey == [UInt8](vkey)) }
      var verified: [String] = []
      let got = code {
        let note = try SignedNote(parsing: bytes)
        #expect(note.encode() == bytes, "\(row.desc)")
        verified = try note.verifiedSignatures(by: keys).map { $0.key.name.string }
      }
      switch row.result {
      case "ok": #expect(got == nil && verified == row.verified, "\(row.desc)")
      case "unverified": #expect(got == nil && verified.isEmpty, "\(row.desc)")
      case "invalid-signature": #expect(got == .invalidSignature, "\(row.desc)")
      case "malformed": #expect(got == .malformed, "\(row.desc)")
      case "implementation-limit": #expect(got == .tooLarge, "\(row.desc)")
      default: Issue.record("An unknown result: \(row.result)")
      }
    }
  }

  private struct Bodies: Decodable {
    struct Case: Decodable {
      let desc: String
      let body: String
      let valid: Bool
    }
    struct Consistency: Decodable {
      let size1: UInt64
      let size2: UInt64
      let root1: String
      let root2: String
      let proofHex: [String]
    }
    let cases: [Case]
    let consistency: Consistency
  }

  @Test func checkpointBodies() throws {
    guard let folder = try Vectors.folder("notes-and-checkpoints") else { return }
    let bodies = try Vectors.json(Bodies.self, folder.appending(path: "checkpoint_body.json"))
    #expect(bodies.cases.count >= 10)
    for row in bodies.cases {
      let got = code {
        let checkpoint = try Checkpoint(parsingBody: [UInt8](row.body))
        #expect(checkpoint.body() == [UInt8](row.body), "\(row.desc)")
      }
      #expect((got == nil) == row.valid, "\(row.desc)")
    }
    let row = bodies.consistency
    let path = row.proofHex.compactMap { Digest(hex: $0) }
    let roots = try (#require(digest(row.root1)), #require(digest(row.root2)))
    try Merkle.verifyConsistency(
      oldSize: row.size1, oldRoot: roots.0, newSize: row.size2, newRoot: roots.1, path: path)
    #expect(
      code {
        try Merkle.verifyConsistency(
          oldSize: row.size1, oldRoot: roots.1, newSize: row.size2, newRoot: roots.1, path: path)
      } == .consistencyMismatch)
  }

  private struct Tiles: Decodable {
    let pathIndex: [[PathPart]]
    let tree70000: [String: UInt64]
    let tree256: [String: UInt64]
    enum PathPart: Decodable {
      case index(UInt64)
      case path(String)
      init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let index = try? value.decode(UInt64.self) {
          self = .index(index)
        } else {
          self = .path(try value.decode(String.self))
        }
      }
    }
  }

  @Test func tilePaths() throws {
    guard let folder = try Vectors.folder("notes-and-checkpoints") else { return }
    let tiles = try Vectors.json(Tiles.self, folder.appending(path: "tile_paths.json"))
    #expect(tiles.pathIndex.count >= 4)
    for row in tiles.pathIndex {
      guard case .index(let index) = row[0], case .path(let path) = row[1] else {
        Issue.record("A row is an index and a path")
        continue
      }
      #expect(Tile.indexPath(index) == Text(path))
      let tile = try Tile(path: Text("tile/0/\(path)"))
      #expect(tile.index == index && tile.width == 256)
    }
    for (size, facts) in [(UInt64(70_000), tiles.tree70000), (256, tiles.tree256)] {
      let all = Tile.tiles(from: 0, to: size)
      var counted: [String: UInt64] = [:]
      for tile in all {
        guard case .hashes(let level) = tile.kind else { continue }
        if tile.isPartial {
          counted["level\(level)_partial"] = UInt64(tile.width)
        } else {
          counted["level\(level)_full", default: 0] += 1
        }
      }
      #expect(counted == facts)
    }
  }

  private struct Wycheproof: Decodable {
    struct Key: Decodable { let pk: String }
    struct Case: Decodable {
      let tcId: Int
      let comment: String
      let msg: String
      let sig: String
      let result: String
    }
    struct Group: Decodable {
      let publicKey: Key
      let tests: [Case]
    }
    let numberOfTests: Int
    let testGroups: [Group]
  }

  /// Cases in which libsodium's rule is not the vectors', with the reason. None is known.
  private let wycheproofDifferences: [Int: String] = [:]

  @Test func wycheproofEd25519() throws {
    guard let folder = try Vectors.folder("wycheproof") else { return }
    let vectors = try Vectors.json(Wycheproof.self, folder.appending(path: "ed25519_test.json"))
    var count = 0
    for group in vectors.testGroups {
      let key = try #require(Hex.decode([UInt8](group.publicKey.pk)).flatMap { PublicKey(bytes: $0) })
      for row in group.tests {
        count += 1
        let message = try #require(Hex.decode([UInt8](row.msg)))
        let signature = Hex.decode([UInt8](row.sig)).flatMap { Signature(bytes: $0) }
        let accepted = signature.map { key.accepts($0, on: message) } ?? false
        let wanted = (row.result == "valid") != (wycheproofDifferences[row.tcId] != nil)
        #expect(accepted == wanted, "tcId \(row.tcId): \(row.comment)")
        guard accepted, let signature else { continue }
        for bit in 0..<512 {
          let flipped = try #require(Signature(bytes: signature.bytes.flipping(bit: bit)))
          #expect(!key.accepts(flipped, on: message), "tcId \(row.tcId), bit \(bit)")
        }
      }
    }
    #expect(count == vectors.numberOfTests && count >= 150)
  }
}
