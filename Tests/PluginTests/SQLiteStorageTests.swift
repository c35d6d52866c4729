import Foundation
import GRDB
import SyncRuntime
import SyncTesting
import Testing

@testable import SQLiteStorage

@Suite struct SQLiteStorageTests {
  @Test func conformsToStorage() throws {
    try withFolder { folder in
      let findings = StorageCompatTest { try SQLiteStorage(path: "\(folder)/\($0).sqlite") }.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count == 12)
    }
  }

  static let prefixRows: [(prefix: [UInt8], end: [UInt8]?)] = [
    ([], nil), ([0xFF], nil), ([0xFF, 0xFF], nil), ([0], [1]), ([0x61, 0xFF], [0x62]), ([0xFE, 0xFF, 0xFF], [0xFF]),
    ([1, 2], [1, 3]),
  ]

  @Test(arguments: prefixRows) func prefixesEnd(_ row: (prefix: [UInt8], end: [UInt8]?)) {
    #expect(SQLiteStorage.end(ofPrefix: row.prefix) == row.end)
  }

  @Test func filesAreTheOwnersAlone() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      try storage.apply(StorageBatch([.put(key: [1], value: [2])]), durable: true)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(files == ["j", "j-ahead", "j-wal"])
      for file in files {
        let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")[.posixPermissions] as? Int
        #expect(mode == 0o600, "\(file)")
      }
    }
  }

  @Test func openingTwiceIsRefusedWithASentence() throws {
    try withFolder { folder in
      let first = try SQLiteStorage(path: folder + "/j")
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("in use by another process") == true)
      first.close()
      try SQLiteStorage(path: folder + "/j").close()
    }
  }

  @Test func anotherProcessIsRefused() async throws {
    try await withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      await #expect(processExitsWith: .exitCode(7)) { [path = folder + "/j" as String] in
        do { _ = try SQLiteStorage(path: path) } catch let error as PluginError where error.code == .unavailable {
          exit(7)
        }
      }
    }
  }

  @Test func killedProcessKeepsItsDurableBatches() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder + "/j" as String] in
        let storage = try SQLiteStorage(path: path)
        for i in 0..<50 { try storage.apply(StorageBatch([.put(key: [UInt8(i)], value: [1])]), durable: i % 2 == 0) }
        try storage.apply(StorageBatch([.put(key: [200], value: [1])]), durable: true)
        kill(getpid(), SIGKILL)
      }
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      #expect(try storage.scan(prefix: [], from: [], limit: 100).map(\.key) == (0..<50).map { [$0] } + [[200]])
    }
  }

  /// What begins the ahead file anew must be on the disk before that is written over.
  @Test func commitsAreSynced() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      for isDurable in [false, true] {
        let value = [UInt8](repeating: 1, count: AheadFile.capacityBytes)
        try storage.apply(StorageBatch([.put(key: [1], value: value)]), durable: isDurable)
        #expect(try storage.synchronousLevel() == 2)
      }
    }
  }

  // MARK: Files that are not journals

  @Test func foreignFilesAreRefused() throws {
    try withFolder { folder in
      let text = folder + "/text"
      try Data(String(repeating: "This is no database. ", count: 1_000).utf8).write(to: URL(filePath: text))
      #expect(throws: PluginError(.io, "")) { try SQLiteStorage(path: text) }

      let other = folder + "/other"
      try DatabaseQueue(path: other).write { try $0.execute(sql: "CREATE TABLE dog (name TEXT)") }
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: other) }
      #expect(error?.code == .invalid)
      #expect(error?.message.contains("another program") == true)
    }
  }

  @Test func laterLayoutsAreRefused() throws {
    try withFolder { folder in
      try SQLiteStorage(path: folder + "/j").close()
      let queue = try DatabaseQueue(path: folder + "/j")
      try queue.writeWithoutTransaction {
        try $0.execute(sql: "PRAGMA user_version = \(SQLiteStorage.schemaVersion + 1)")
      }
      try queue.close()
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
      #expect(error?.code == .invalid)
      #expect(error?.message.contains("layout \(SQLiteStorage.schemaVersion + 1)") == true)
    }
  }

  @Test func damagedFilesAreRefused() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j")
      let value = [UInt8](repeating: 1, count: 900)
      for i in 0..<100 { try storage.apply(StorageBatch([.put(key: [UInt8(i)], value: value)]), durable: false) }
      storage.close()
      var bytes = try Data(contentsOf: URL(filePath: folder + "/j"))
      let noise = Data(repeating: 0xA5, count: 64)
      for page in 3..<8 { bytes.replaceSubrange(page * 4_096..<page * 4_096 + 64, with: noise) }
      try bytes.write(to: URL(filePath: folder + "/j"))
      let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
      #expect(error?.code == .io)
      #expect(error?.message.contains("is damaged") == true)
    }
  }

  private static func journal(_ path: String, _ values: ClosedRange<UInt8>, _ changed: [[UInt8]: [UInt8]] = [:]) throws
    -> [[UInt8]: [UInt8]]
  {
    var all: [[UInt8]: [UInt8]] = [:]
    for number in values { all[[7, number]] = [UInt8](repeating: number, count: Int(number) * 37 % 900) }
    all[[9]] = [UInt8](repeating: 3, count: 20_000)
    all.merge(changed) { $1 }
    let storage = try SQLiteStorage(path: path)
    let changes = all.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { StorageChange.put(key: $0, value: $1) }
    try storage.apply(StorageBatch(changes), durable: true)
    storage.close()
    return all
  }

  /// - Returns: What an opening finds, or `nil` when it refuses to.
  private static func found(_ path: String) throws -> [[UInt8]: [UInt8]]? {
    do {
      let storage = try SQLiteStorage(path: path)
      defer { storage.close() }
      let all = try storage.scan(prefix: [], from: [], limit: .max)
      return Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0.value) })
    } catch {
      #expect([.io, .invalid].contains(error.code), "\(error.message)")
      return nil
    }
  }

  /// A disk that gives back one bit otherwise: of a hundred places, where it is not noticed it is of no record.
  @Test(arguments: [UInt64](1...4)) func aFlippedBitIsNoOtherRecord(_ seed: UInt64) throws {
    try withFolder { folder in
      let written = try Self.journal(folder + "/j", 1...120)
      let bytes = try Data(contentsOf: URL(filePath: folder + "/j"))
      var random = SeededGenerator(seed: seed)
      var refused = 0
      for _ in 0..<100 {
        let (place, bit) = (Int.random(in: 0..<bytes.count, using: &random), Int.random(in: 0..<8, using: &random))
        var damaged = bytes
        damaged[place] ^= 1 << UInt8(bit)
        try damaged.write(to: URL(filePath: folder + "/j"))
        for suffix in ["-ahead", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: folder + "/j" + suffix) }
        let found = try Self.found(folder + "/j")
        if found == nil { refused += 1 } else { #expect(found == written, "byte \(place), bit \(bit)") }
      }
      #expect(refused > 60, "most of the file are records")
    }
  }

  /// Every bit of the keys' index, of which SQLite itself checks the structure alone: with one of its types flipped a
  /// key is text, which no search for bytes finds.
  @Test func aFlippedBitOfTheIndexHidesNothing() throws {
    try withFolder { folder in
      let keys = ["co", "cp", "cs", "checkpoint", "epochs", "vepochs"].map { [UInt8]($0.utf8) }
      let storage = try SQLiteStorage(path: folder + "/j")
      try storage.apply(StorageBatch(keys.map { .put(key: $0, value: [1, 2, 3]) }), durable: true)
      storage.close()
      let root = try DatabaseQueue(path: folder + "/j").read {
        try Int.fetchOne($0, sql: "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_entry_1'")
      }
      let page = (try #require(root) - 1) * 4_096
      let bytes = try Data(contentsOf: URL(filePath: folder + "/j"))
      var refused = 0
      for place in page..<page + 4_096 where bytes[place] != 0 {
        for bit in 0..<8 {
          var damaged = bytes
          damaged[place] ^= 1 << UInt8(bit)
          try damaged.write(to: URL(filePath: folder + "/j"))
          for suffix in ["-ahead", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: folder + "/j" + suffix)
          }
          guard let storage = try? SQLiteStorage(path: folder + "/j") else {
            refused += 1
            continue
          }
          for key in keys { #expect(try storage.get(key) == [1, 2, 3], "byte \(place - page), bit \(bit), \(key)") }
          storage.close()
        }
      }
      #expect(refused > 300)
    }
  }

  /// A write that never came to the disk, of one page: the older one is whole, and its records are marked.
  @Test func aPageOfAnEarlierMomentIsRefused() throws {
    try withFolder { folder in
      _ = try Self.journal(folder + "/j", 1...120)
      let before = try Data(contentsOf: URL(filePath: folder + "/j"))
      let written = try Self.journal(folder + "/j", 1...120, [[7, 60]: [UInt8](repeating: 61, count: 60 * 37 % 900)])
      let after = try Data(contentsOf: URL(filePath: folder + "/j"))
      #expect(before.count == after.count)
      #expect(try Self.found(folder + "/j") == written)
      let pages = (0..<after.count / 4_096).map { $0 * 4_096..<($0 + 1) * 4_096 }
      // The first holds SQLite's own counters; what else differs is the record's page and the one of the total.
      let different = pages.dropFirst().filter { before[$0] != after[$0] }
      #expect(different.count == 2)
      for page in different {
        var mixed = after
        mixed.replaceSubrange(page, with: before[page])
        try mixed.write(to: URL(filePath: folder + "/j"))
        let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: folder + "/j") }
        #expect(error?.message.contains("is damaged") == true)
      }
    }
  }

  /// Rot while the file is open: what was read before it is not read again otherwise, and nothing is written any more.
  @Test func rotUnderARunningNodeIsFoundWhenItIsRead() throws {
    try withFolder { folder in
      let written = try Self.journal(folder + "/j", 1...120)
      let storage = try SQLiteStorage(path: folder + "/j")
      defer { storage.close() }
      let bytes = try Data(contentsOf: URL(filePath: folder + "/j"))
      let value = Data(written[[7, 97]]!)
      let place = try #require(bytes.firstRange(of: value)).lowerBound
      let file = try FileHandle(forUpdating: URL(filePath: folder + "/j"))
      try file.seek(toOffset: UInt64(place + 5))
      try file.write(contentsOf: [98])
      try file.close()
      let error = #expect(throws: PluginError.self) {
        // SQLite keeps pages in memory; with others read, that one goes.
        for _ in 0..<3 { _ = try storage.scan(prefix: [], from: [], limit: .max) }
        try storage.forgetPages()
        _ = try storage.get([7, 97])
      }
      #expect(error?.message.contains("0761 is not as it was written") == true)
      #expect(throws: PluginError.self) { try storage.apply(StorageBatch([.put(key: [1], value: [])]), durable: true) }
    }
  }

  @Test func missingFoldersAreTold() throws {
    let error = #expect(throws: PluginError.self) { try SQLiteStorage(path: "/nonexistent/folder/j") }
    #expect(error?.code == .io)
    #expect(error?.message.contains("does its directory exist?") == true)
  }

  // MARK: Full disks

  @Test func fullFileFailsCleanly() throws {
    try withFolder { folder in
      let storage = try SQLiteStorage(path: folder + "/j", pagesMax: 64)
      defer { storage.close() }
      let count = try fill(storage)
      // What makes room is taken, though the file that batches go to is full.
      try storage.apply(StorageBatch((20..<count).map { .delete(key: Self.key($0)) }), durable: true)
      try storage.apply(StorageBatch([.put(key: [250], value: [1])]), durable: true)
      #expect(try storage.get([250]) == [1])
      #expect(try storage.scan(prefix: [], from: [], limit: 300).map(\.key) == (0..<20).map(Self.key) + [[250]])
    }
  }

  /// In a process of its own, on a file system of 512 KiB that only that process sees.
  @Test(.enabled(if: getuid() == 0, "mounting needs root"))
  func fullFileSystemFailsCleanly() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .success) { [folder = folder as String] in
        // A container may keep even root from mounting; the test with a bounded file stands for this one there.
        guard PrivateMount.mountTemporary(at: folder, size: "512k") else { exit(EXIT_SUCCESS) }
        let storage = try SQLiteStorage(path: folder + "/j")
        var count: UInt8 = 0
        var failure: PluginError?
        do throws(PluginError) {
          while count < 200 {
            let value = [UInt8](repeating: count, count: 8_000)
            try storage.apply(StorageBatch([.put(key: [count], value: value)]), durable: true)
            count += 1
          }
        } catch { failure = error }
        guard failure?.code == .io, count > 10 else { exit(2) }
        storage.close()
        let again = try SQLiteStorage(path: folder + "/j")
        guard try again.scan(prefix: [], from: [], limit: 300).map(\.key) == (0..<count).map({ [$0] }) else { exit(3) }
        exit(EXIT_SUCCESS)
      }
    }
  }

  /// What is there can be read, and the room of the ahead file is used for what comes.
  @Test(.enabled(if: getuid() == 0, "mounting needs root"))
  func aDiskThatIsFullAtTheStartIsRead() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .success) { [folder = folder as String] in
        guard PrivateMount.mountTemporary(at: folder, size: "6m") else { exit(EXIT_SUCCESS) }
        let storage = try SQLiteStorage(path: folder + "/j")
        try storage.apply(StorageBatch([.put(key: [1], value: [2])]), durable: true)
        storage.close()
        PrivateMount.fill(folder + "/ballast")
        let again = try SQLiteStorage(path: folder + "/j")
        guard try again.get([1]) == [2] else { exit(2) }
        try again.apply(StorageBatch([.put(key: [3], value: [4])]), durable: true)
        again.close()
        let third = try SQLiteStorage(path: folder + "/j")
        guard try third.scan(prefix: [], from: [], limit: 9).map(\.key) == [[1], [3]] else { exit(3) }
        exit(EXIT_SUCCESS)
      }
    }
  }

  /// As a copy may have been written back: the blocks of the ahead file are not there yet when the disk is full.
  @Test(.enabled(if: getuid() == 0, "mounting needs root"))
  func aFullDiskBehindHolesFailsCleanly() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .success) { [folder = folder as String] in
        guard PrivateMount.mountTemporary(at: folder, size: "6m") else { exit(EXIT_SUCCESS) }
        let storage = try SQLiteStorage(path: folder + "/j")
        try storage.apply(StorageBatch([.put(key: [1], value: [2])]), durable: true)
        for size in [0, AheadFile.capacityBytes] { truncate(folder + "/j-ahead", size) }
        PrivateMount.fill(folder + "/ballast")
        do throws(PluginError) {
          try storage.apply(StorageBatch([.put(key: [3], value: [UInt8](repeating: 1, count: 4_096))]), durable: true)
          exit(2)
        } catch { guard error.message.contains("disk is full") else { exit(3) } }
        guard try storage.get([3]) == nil, unlink(folder + "/ballast") == 0 else { exit(4) }
        try storage.apply(StorageBatch([.put(key: [4], value: [5])]), durable: true)
        storage.close()
        let again = try SQLiteStorage(path: folder + "/j")
        guard try again.scan(prefix: [], from: [], limit: 9).map(\.key) == [[1], [4]] else { exit(5) }
        exit(EXIT_SUCCESS)
      }
    }
  }

  private static func key(_ number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }

  /// Puts 8,000-byte values until that fails, and checks that all before are there and none after.
  private func fill(_ storage: SQLiteStorage) throws -> Int {
    var count = 0
    let error = #expect(throws: PluginError.self) {
      while count < 2_000 {
        let value = [UInt8](repeating: 1, count: 8_000)
        try storage.apply(StorageBatch([.put(key: Self.key(count), value: value)]), durable: true)
        count += 1
      }
    }
    #expect(error?.code == .io)
    #expect(error?.message.contains("disk is full") == true)
    #expect(count > 10)
    #expect(try storage.scan(prefix: [], from: [], limit: 3_000).map(\.key) == (0..<count).map(Self.key))
    return count
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
  }

  private func makeFolder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appending(path: "storage-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    return folder
  }
}

/// A file system that only this process sees; Swift's Glibc module has neither function.
private enum PrivateMount {
  private typealias Unshare = @convention(c) (Int32) -> Int32
  private typealias Mount =
    @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>, UInt, UnsafePointer<CChar>?)
    -> Int32

  static func mountTemporary(at path: String, size: String) -> Bool {
    guard let unshareSymbol = dlsym(nil, "unshare"), let mountSymbol = dlsym(nil, "mount") else { return false }
    let unshare = unsafeBitCast(unshareSymbol, to: Unshare.self)
    let mount = unsafeBitCast(mountSymbol, to: Mount.self)
    let (newNamespace, privateRecursive): (Int32, UInt) = (0x20000, 1 << 18 | 1 << 14)
    return unshare(newNamespace) == 0 && mount("none", "/", "none", privateRecursive, nil) == 0
      && mount("none", path, "tmpfs", 0, "size=\(size)") == 0
  }

  /// A file that takes what room there is.
  static func fill(_ path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    defer { close(descriptor) }
    let block = [UInt8](repeating: 1, count: 4_096)
    while write(descriptor, block, block.count) > 0 {}
  }
}
