import Foundation
import GRDB
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization
import Testing

@testable import SQLiteStorage

/// Batches that are on the disk before the database has them. A kill is a copy of the files as they stand.
@Suite struct AheadFileTests {
  private static func put(_ key: UInt8, _ value: UInt8 = 1) -> StorageBatch {
    StorageBatch([.put(key: [key], value: [value])])
  }

  private static let frameBytes = AheadFile.frame(put(1), key: [], generation: 1, number: 0, synced: 0).count

  /// Each frame tells how many before it were on the disk when it was written.
  @Test func durableBatchesAreSynced() throws {
    try withFolder { folder in
      let syncs = Atomic(0)
      let storage = try SQLiteStorage(path: folder + "/j", pagesMax: nil) { descriptor in
        syncs.add(1, ordering: .relaxed)
        return fdatasync(descriptor)
      }
      defer { storage.close() }
      var expected = 0
      for isDurable in [false, false, true, true, false, true] {
        try storage.apply(Self.put(1), durable: isDurable)
        expected += isDurable ? 1 : 0
        #expect(syncs.load(ordering: .relaxed) == expected)
      }
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: folder + "/j-ahead")))
      #expect((0..<6).map { bytes[$0 * Self.frameBytes + 32] } == [0, 0, 0, 3, 4, 4])
    }
  }

  /// What the system did with the blocks of a failed sync is unknown.
  @Test func nothingIsTakenBehindAFailedSync() throws {
    try withFolder { folder in
      let syncs = Atomic(0)
      let storage = try SQLiteStorage(path: folder + "/j", pagesMax: nil) { descriptor in
        if syncs.add(1, ordering: .relaxed).newValue < 3 { return fdatasync(descriptor) }
        errno = EIO
        return -1
      }
      for number in 0..<2 { try storage.apply(Self.put(UInt8(number)), durable: true) }
      for durable in [true, true, false] {
        let error = #expect(throws: PluginError.self) { try storage.apply(Self.put(9), durable: durable) }
        #expect(error?.message.contains("Syncing \(folder)/j-ahead failed") == true)
      }
      #expect(throws: PluginError(.io, "")) { try storage.get([0]) }
      storage.close()
      let again = try SQLiteStorage(path: folder + "/j")
      defer { again.close() }
      #expect(try again.scan(prefix: [], from: [], limit: 2).map(\.key) == [[0], [1]])
    }
  }

  @Test func aFrameHasItsBytes() {
    let batch = StorageBatch([.put(key: [0xA1], value: [0xB1, 0xB2]), .delete(key: [0xA2])])
    let key = [UInt8](0..<32)
    let frame = AheadFile.frame(batch, key: key, generation: 0x0102, number: 3, synced: 2)
    let mark = [UInt8](SHA256.hash([UInt8]("mark".utf8) + key).bytes.prefix(8))
    let sizes: [UInt8] = [18, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]
    let head = mark + sizes
    let numbers: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    let payload: [UInt8] = [1, 1, 0, 0, 0, 0xA1, 2, 0, 0, 0, 0xB1, 0xB2, 2, 1, 0, 0, 0, 0xA2]
    #expect(Array(frame[..<40]) == head + numbers)
    #expect(Array(frame[40..<72]) == SHA256.hash(key + head + numbers + payload).bytes)
    #expect(Array(frame[72...]) == payload + [UInt8](repeating: 0, count: 6))
  }

  /// What other replicas send is in the payloads, and stays in the file behind its new beginning.
  @Test func aPayloadIsNoFrame() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      var value: [UInt8] = []
      for offset in 0..<8 {
        for generation in [2, 3, UInt64.max] {
          value += AheadFile.frame(Self.put(66), key: [], generation: generation, number: 0, synced: 9)
        }
        value += [UInt8](repeating: 0, count: offset)
      }
      for key in 0..<30 { try storage.apply(StorageBatch([.put(key: [UInt8(key)], value: value)]), durable: true) }
      // Larger than the file, so that it begins anew.
      let large = [UInt8](repeating: 1, count: 5 << 20)
      try storage.apply(StorageBatch([.put(key: [99], value: large)]), durable: true)
      try storage.apply(Self.put(100), durable: true)
      let again = try SQLiteStorage(path: try copy(of: folder, named: "killed") + "/j")
      #expect(try again.get([66]) == nil)
      #expect(try again.scan(prefix: [], from: [], limit: 99).count == 32)
      again.close()
      storage.close()
    }
  }

  /// The power took a batch that was not durable, and left the one behind it, which nobody had been told of.
  @Test func aGapThatWasNotOnTheDiskIsNoDamage() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      for number in 0..<4 { try storage.apply(Self.put(UInt8(number)), durable: number == 0 || number == 3) }
      let torn = try copy(of: folder, named: "torn")
      try change(torn) { $0[Self.frameBytes + 75] ^= 1 }
      let again = try SQLiteStorage(path: torn + "/j")
      defer { again.close() }
      #expect(try again.scan(prefix: [], from: [], limit: 9).map(\.key) == [[0]])
    }
  }

  @Test func aKillLosesNothing() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      for number in 0..<50 { try storage.apply(Self.put(UInt8(number)), durable: number % 2 == 0) }
      try storage.apply(StorageBatch([.delete(key: [7])]), durable: true)
      let again = try SQLiteStorage(path: try copy(of: folder, named: "killed") + "/j")
      let expected = (0..<50).filter { $0 != 7 }.map { [UInt8($0)] }
      #expect(try again.scan(prefix: [], from: [], limit: 100).map(\.key) == expected)
      again.close()
      storage.close()
      let both = try SQLiteStorage(path: folder + "/j")
      #expect(try both.scan(prefix: [], from: [], limit: 100).map(\.key) == expected)
      both.close()
    }
  }

  /// Twelve times what the file holds, so that it begins anew; and batches that it never holds.
  @Test func aFullFileBeginsAnew() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      var expected: [[UInt8]: [UInt8]] = [:]
      for number in 0..<500 {
        let key = [UInt8(number % 100)]
        let value = [UInt8](repeating: UInt8(number & 255), count: number % 97 == 0 ? 5 << 20 : 100_000)
        try storage.apply(StorageBatch([.put(key: key, value: value)]), durable: number % 3 == 0)
        expected[key] = value
      }
      let again = try SQLiteStorage(path: try copy(of: folder, named: "killed") + "/j")
      defer { again.close() }
      for (key, value) in expected { #expect(try again.get(key) == value && storage.get(key) == value) }
      storage.close()
    }
  }

  /// A cut of the power in the middle of a batch that was never told to be durable.
  @Test(arguments: [80, 60, 20, 4]) func aTornLastFrameIsNoBatch(_ bytesKept: Int) throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      for number in 0..<3 { try storage.apply(Self.put(UInt8(number)), durable: true) }
      let torn = try copy(of: folder, named: "torn")
      try change(torn) {
        $0.replaceSubrange(
          Self.frameBytes * 2 + bytesKept..<Self.frameBytes * 3,
          with: [UInt8](
            repeating: 0xEE, count: Self.frameBytes - bytesKept))
      }
      let again = try SQLiteStorage(path: torn + "/j")
      #expect(try again.scan(prefix: [], from: [], limit: 9).map(\.key) == [[0], [1]])
      try again.apply(Self.put(9), durable: true)
      let third = try SQLiteStorage(path: try copy(of: torn, named: "third") + "/j")
      #expect(try third.scan(prefix: [], from: [], limit: 9).map(\.key) == [[0], [1], [9]])
      third.close()
      again.close()
    }
  }

  static let refusals: [(name: String, message: String)] = [
    ("a flipped bit of a batch that was on the disk", "cannot be read in frame 1, which was on the disk"),
    ("no file", "j-ahead has 0 bytes, where a node has left 4194304"),
    ("a shorter file", "j-ahead has 4096 bytes, where a node has left 4194304"),
    ("a file of a later moment", "is of generation 3, and the journal of 1"),
  ]

  @Test(arguments: refusals.indices) func aDamagedFileIsRefused(_ index: Int) throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      for number in 0..<4 { try storage.apply(Self.put(UInt8(number)), durable: true) }
      let copy = try copy(of: folder, named: "copy")
      storage.close()
      switch index {
      case 0:
        try change(copy) { $0[Self.frameBytes + 75] ^= 1 }
      case 1: try FileManager.default.removeItem(atPath: copy + "/j-ahead")
      case 2: try change(copy) { $0 = $0.prefix(4_096) }
      default:
        // Opened again, so that a later generation is in use.
        let later = try SQLiteStorage(path: folder + "/j")
        try later.apply(Self.put(9), durable: true)
        try FileManager.default.removeItem(atPath: copy + "/j-ahead")
        try FileManager.default.copyItem(atPath: folder + "/j-ahead", toPath: copy + "/j-ahead")
        later.close()
      }
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: copy + "/j") }
      #expect(error?.code == .io)
      #expect(error?.message.contains(Self.refusals[index].message) == true, "\(error?.message ?? "opened")")
    }
  }

  /// Its generations have been used before, for other batches.
  @Test func anOlderCopyOfTheDatabaseAloneIsRefused() throws {
    try withFolder { folder in
      for number in 0..<3 {
        let storage = try SQLiteStorage(path: folder + "/j")
        for key in 0..<5 { try storage.apply(Self.put(UInt8(10 * number + key)), durable: true) }
        storage.close()
        if number == 0 { try FileManager.default.copyItem(atPath: folder + "/j", toPath: folder + "/older") }
      }
      try FileManager.default.removeItem(atPath: folder + "/j")
      try FileManager.default.copyItem(atPath: folder + "/older", toPath: folder + "/j")
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
      #expect(error?.message.contains("copies of different moments") == true)
      // Without the file beside it, it is what it was then.
      try FileManager.default.removeItem(atPath: folder + "/j-ahead")
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      #expect(try storage.scan(prefix: [], from: [], limit: 99).map(\.key) == [[0], [1], [2], [3], [4]])
    }
  }

  @Test func aFileWithoutItsDatabaseIsRefused() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      try storage.apply(Self.put(1), durable: true)
      storage.close()
      try FileManager.default.removeItem(atPath: folder + "/j")
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
      #expect(error?.message.contains("a journal that is not here") == true)
    }
  }

  /// A killed node's database and its log, one bit of which the disk gives back otherwise: what was durable is found,
  /// or the opening is refused.
  @Test(arguments: [UInt64](1...4)) func aFlippedBitOfAKilledJournalLosesNothing(_ seed: UInt64) throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      for key in 0..<4 { try storage.apply(Self.put(UInt8(key)), durable: true) }
      let wanted: [[UInt8]] = [[0], [1], [2], [3]]
      var random = SeededGenerator(seed: seed)
      let copy = try copy(of: folder, named: "copy")
      var files: [String: Data] = [:]
      for name in try FileManager.default.contentsOfDirectory(atPath: copy) {
        files[name] = try Data(contentsOf: URL(filePath: copy + "/" + name))
      }
      #expect(files["j-wal"]?.isEmpty == false && files["j-ahead"]?.isEmpty == false)
      var refused = 0
      for name in ["j", "j-wal"] {
        guard let bytes = files[name], !bytes.isEmpty else { continue }
        for _ in 0..<60 {
          for name in try FileManager.default.contentsOfDirectory(atPath: copy) {
            try FileManager.default.removeItem(atPath: copy + "/" + name)
          }
          for (name, bytes) in files { try bytes.write(to: URL(filePath: copy + "/" + name)) }
          var damaged = bytes
          let (place, bit) = (Int.random(in: 0..<bytes.count, using: &random), Int.random(in: 0..<8, using: &random))
          damaged[place] ^= 1 << UInt8(bit)
          try damaged.write(to: URL(filePath: copy + "/" + name))
          do {
            let again = try SQLiteStorage(path: copy + "/j")
            let found = try again.scan(prefix: [], from: [], limit: 99).map(\.key)
            #expect(found == wanted, "\(name) byte \(place) bit \(bit)")
            again.close()
          } catch let error as PluginError {
            #expect([.io, .invalid].contains(error.code))
            refused += 1
          }
        }
      }
      #expect(refused > 20)
    }
  }

  @Test func scansWithoutALimitSeeWhatIsAhead() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      for key in [3, 1, 2] { try storage.apply(Self.put(UInt8(key)), durable: true) }
      #expect(try storage.scan(prefix: [], from: [], limit: .max).map(\.key) == [[1], [2], [3]])
    }
  }

  /// Only the newest of what was on the disk can go unnoticed: there is nothing behind it that tells of it.
  @Test func everyBitOfAnEarlierFrameCounts() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      for number in 0..<2 { try storage.apply(Self.put(UInt8(number)), durable: true) }
      let copy = try copy(of: folder, named: "copy")
      let payloadEnd = 72 + 11
      for byte in 0..<payloadEnd {
        try change(copy) { $0[byte] ^= 1 << UInt8(byte % 8) }
        let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: copy + "/j") }
        #expect(error?.code == .io, "byte \(byte)")
        try change(copy) { $0[byte] ^= 1 << UInt8(byte % 8) }
      }
      try SQLiteStorage(path: copy + "/j").close()
    }
  }

  /// The third: marks behind the values, and keys that lead the rows. Its total and its marks are held to.
  @Test(arguments: ["", "value", "mark", "total"]) func theThirdLayoutIsTakenOver(_ fault: String) throws {
    try withFolder { folder in
      let mark = RecordMark.of([1], [2]) &+ (fault == "mark" ? 1 : 0)
      let key = [UInt8](repeating: 5, count: 32)
      let total =
        mark &+ RecordMark.ofState(key: key, generation: 0, isOpen: false) &+ (fault == "total" ? 1 : 0)
      let queue = try DatabaseQueue(path: folder + "/j")
      try queue.writeWithoutTransaction { database in
        try database.execute(
          sql: """
            CREATE TABLE entry (
              key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, mark INTEGER NOT NULL DEFAULT 0
            ) WITHOUT ROWID, STRICT;
            CREATE TABLE ahead (
              key BLOB NOT NULL, generation INTEGER NOT NULL, is_open INTEGER NOT NULL, total INTEGER NOT NULL DEFAULT 0
            ) STRICT;
            PRAGMA application_id = \(SQLiteStorage.applicationID);
            PRAGMA user_version = 3;
            INSERT INTO entry VALUES (x'01', x'0\(fault == "value" ? 3 : 2)', \(mark));
            INSERT INTO ahead VALUES (x'\(String(repeating: "05", count: 32))', 0, 0, \(total));
            """)
      }
      try queue.close()
      guard fault.isEmpty else {
        #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
        return
      }
      for _ in 0..<2 {
        let storage = try SQLiteStorage(path: folder + "/j")
        #expect(try storage.get([1]) == [2])
        storage.close()
      }
    }
  }

  @Test(arguments: [1, 2]) func earlierLayoutsAreTakenOver(_ version: Int) throws {
    try withFolder { folder in
      let queue = try DatabaseQueue(path: folder + "/j")
      try queue.writeWithoutTransaction { database in
        try database.execute(
          sql: """
            CREATE TABLE entry (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
            PRAGMA application_id = \(SQLiteStorage.applicationID);
            PRAGMA user_version = \(version);
            INSERT INTO entry VALUES (x'01', x'02');
            """)
        guard version == 2 else { return }
        try database.execute(
          sql: """
            CREATE TABLE ahead (key BLOB NOT NULL, generation INTEGER NOT NULL, is_open INTEGER NOT NULL) STRICT;
            INSERT INTO ahead VALUES (randomblob(32), 0, 0);
            """)
      }
      try queue.close()
      // What it gives its marks to has them from then on.
      try SQLiteStorage(path: folder + "/j").close()
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      #expect(try storage.get([1]) == [2])
      try storage.apply(Self.put(2), durable: true)
      #expect(try storage.scan(prefix: [], from: [], limit: 9).map(\.key) == [[1], [2]])
    }
  }

  /// Against a map in memory, with what is ahead, what is committed and what is both in one scan.
  @Test(arguments: [UInt64](1...6)) func randomBatchesAreAMap(_ seed: UInt64) throws {
    try withFolder { folder in
      var random = SeededGenerator(seed: seed)
      var storage = try SQLiteStorage(path: folder + "/j")
      var expected: [[UInt8]: [UInt8]] = [:]
      for step in 0..<400 {
        var batch = StorageBatch()
        for _ in 0..<Int.random(in: 0...4, using: &random) {
          let key = (0..<Int.random(in: 1...3, using: &random)).map { _ in UInt8.random(in: 0...3, using: &random) * 85
          }
          if Bool.random(using: &random) {
            let value = [UInt8](repeating: UInt8(step & 255), count: Int.random(in: 0...30_000, using: &random))
            batch.changes.append(.put(key: key, value: value))
            expected[key] = value
          } else {
            batch.changes.append(.delete(key: key))
            expected[key] = nil
          }
        }
        try storage.apply(batch, durable: Bool.random(using: &random))
        if step % 37 == 36 {
          // Alternately stopped and killed.
          if step % 2 == 0 {
            storage.close()
            storage = try SQLiteStorage(path: folder + "/j")
          } else {
            let killed = try SQLiteStorage(path: try copy(of: folder, named: "killed-\(step)") + "/j")
            let found = try killed.scan(prefix: [], from: [], limit: .max)
            #expect(Dictionary(uniqueKeysWithValues: found.map { ($0.key, $0.value) }) == expected)
            killed.close()
          }
        }
        let prefix = Bool.random(using: &random) ? [] : [UInt8.random(in: 0...3, using: &random) * 85]
        let start = Bool.random(using: &random) ? [] : [UInt8.random(in: 0...255, using: &random)]
        let limit = [1, 2, 5, 1_000][Int.random(in: 0..<4, using: &random)]
        let wanted = expected.keys.filter { $0.starts(with: prefix) && !$0.lexicographicallyPrecedes(start) }
          .sorted { $0.lexicographicallyPrecedes($1) }.prefix(limit)
        let found = try storage.scan(prefix: prefix, from: start, limit: limit)
        #expect(found.map(\.key) == Array(wanted), "seed \(seed), step \(step)")
        for (key, value) in found { #expect(expected[key] == value) }
        if let key = wanted.first { #expect(try storage.get(key) == expected[key]) }
      }
      storage.close()
    }
  }

  private func change(_ folder: String, _ body: (inout Data) -> Void) throws {
    let file = URL(filePath: folder + "/j-ahead")
    var bytes = try Data(contentsOf: file)
    body(&bytes)
    try bytes.write(to: file)
  }

  /// The files as a kill would leave them, without the copies that are there.
  private func copy(of folder: String, named name: String) throws -> String {
    let copy = folder + "/" + name
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
    for file in ["j", "j-wal", "j-ahead"] {
      try FileManager.default.copyItem(atPath: "\(folder)/\(file)", toPath: "\(copy)/\(file)")
    }
    return copy
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "ahead-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }
}
