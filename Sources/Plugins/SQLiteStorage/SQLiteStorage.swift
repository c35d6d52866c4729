import Foundation
import GRDB
import SyncRuntime
import Synchronization

/// A ``Storage`` in one SQLite file, with its write-ahead log and an ``AheadFile`` beside it while it is open.
///
/// The files belong to one process: they are locked from opening to closing, with mode 0600. Durable batches are synced
/// to the disk, with every batch before them; a batch that is not durable may be lost with the power, but never
/// without all that came after it.
///
/// A batch is written to the ahead file, which is what makes it last, and kept in memory; the database gets all of them
/// in one transaction when that file is full and when the storage is closed. What a process has left there that did not
/// come to that, the next opening brings home. Without room for the file each batch is a transaction of its own.
///
/// Each record carries a mark of itself, and the database the total of all marks: what the disk gives back otherwise
/// than it was written, or from before it was, is found at the next opening, and in a record when it is read. A commit
/// that the disk has lost leaves the ahead file beyond the database, which is found as well.
///
/// Thread: any, one call at a time; calls block on the disk. After an I/O error nothing more is written: what the
/// system did with the pages of a failed sync is unknown, so only opening the file again tells what it holds.
public final class SQLiteStorage: Storage {
  /// What every file of this format carries: the ASCII letters "Sync" in SQLite's `application_id`.
  static let applicationID = 0x5379_6E63
  /// The newest layout, in SQLite's `user_version`. The first had no file beside it, the second no marks, the third no
  /// index of the keys alone.
  static let schemaVersion = 4

  public static let keyBytesMax = 1_024
  public static let valueBytesMax = 64 << 20

  private let path: String
  private let database: DatabaseQueue
  private let state = Mutex(State())
  private let ahead: Mutex<Ahead>

  /// What the database does not have yet.
  private struct Ahead {
    var file: AheadFile
    /// What its frames are made with.
    let key: [UInt8]
    /// Of the marks of all records that the database has.
    var total: Int64
    /// The newest value of each key that has changed; `nil`: deleted. At most what the file holds.
    var changed: [[UInt8]: [UInt8]?] = [:]
  }

  private struct State {
    var isClosed = false
    /// The first I/O error; it answers every later call.
    var failure: PluginError?
  }

  /// Opens the file at `path`, or creates it.
  ///
  /// - Throws: ``PluginError/Code/unavailable`` when another process has the file, ``PluginError/Code/invalid`` when it
  ///   is no journal or one of another version, ``PluginError/Code/io`` when it is damaged or cannot be opened.
  public convenience init(path: String) throws(PluginError) { try self.init(path: path, pagesMax: nil) }

  /// For tests.
  ///
  /// - Parameters:
  ///   - pagesMax: The most pages that the file may have: a full disk.
  ///   - sync: What makes a batch in the ahead file durable.
  init(path: String, pagesMax: Int?, sync: @escaping AheadFile.Sync = { fdatasync($0) }) throws(PluginError) {
    try createFile(at: path)
    var configuration = Configuration()
    configuration.busyMode = .immediateError
    configuration.label = "synchronicity.storage"
    configuration.prepareDatabase { database in
      // In this order: exclusive locking before the first access keeps the log's index in memory, without a shared
      // file, and makes a second opener fail instead of wait.
      try database.execute(
        sql: """
          PRAGMA locking_mode = EXCLUSIVE;
          PRAGMA trusted_schema = OFF;
          PRAGMA cell_size_check = ON;
          PRAGMA journal_mode = WAL;
          PRAGMA synchronous = FULL;
          PRAGMA secure_delete = OFF;
          PRAGMA journal_size_limit = 16777216;
          """)
    }
    do {
      let database = try DatabaseQueue(path: path, configuration: configuration)
      let (key, generation, isNeeded, total) = try database.writeWithoutTransaction {
        try SQLiteStorage.prepare($0, path: path, pagesMax: pagesMax)
      }
      var ahead = Ahead(file: AheadFile(absent: path + "-ahead", generation: generation), key: key, total: total)
      let mayHaveFile = try isNeeded || SQLiteStorage.forget(path + "-ahead", database)
      if mayHaveFile {
        ahead.file = try AheadFile(
          path: path + "-ahead", key: key, generation: generation, isNeeded: isNeeded, sync: sync)
      }
      if isNeeded { for batch in try ahead.file.recover() { ahead.changed.merge(batch) } }
      if ahead.file.capacity > 0 {
        do {
          try database.writeWithoutTransaction { database in
            try SQLiteStorage.commit(database, &ahead, isOpen: true)
            // What was read of the database's own log may never have come to the disk.
            if isNeeded { _ = try database.checkpoint(.truncate) }
          }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL && !isNeeded {
          // What is here can be read, and batches that make room can be written.
          ahead.file.renounce()
        }
      }
      (self.path, self.database) = (path, database)
      self.ahead = Mutex(ahead)
    } catch {
      throw translate(error, path: path)
    }
  }

  /// Makes sure that nothing of an ahead file which the database calls done is needed: that word itself may not be on
  /// the disk yet.
  ///
  /// - Returns: Whether the file may be written over; not when the disk is full.
  private static func forget(_ path: String, _ database: DatabaseQueue) throws -> Bool {
    var facts = stat()
    guard stat(path, &facts) == 0, facts.st_size > 0 else { return true }
    do {
      try database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
      return true
    } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
      return false
    }
  }

  /// Gives the database all that it does not have, behind which the ahead file begins anew.
  private static func commit(_ database: Database, _ ahead: inout Ahead, isOpen: Bool) throws {
    let next = ahead.file.generation &+ 1
    var total = ahead.total
    let key = ahead.key
    try database.inTransaction(.immediate) {
      for (key, value) in ahead.changed.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
        try perform(value.map { .put(key: key, value: $0) } ?? .delete(key: key), on: database, &total)
      }
      let statement = try database.cachedStatement(sql: "UPDATE ahead SET generation = ?, is_open = ?, total = ?")
      let mark = RecordMark.ofState(key: key, generation: next, isOpen: isOpen)
      try statement.execute(arguments: [Int64(bitPattern: next), isOpen, total &+ mark])
      return .commit
    }
    ahead.file.begin(generation: next)
    ahead.total = total
    ahead.changed = [:]
  }

  /// - Returns: The ahead file's key, its generation that counts, whether it may have what the database has not, and
  ///   the total of the marks.
  private static func prepare(_ database: Database, path: String, pagesMax: Int?) throws -> (
    [UInt8], UInt64, Bool, Int64
  ) {
    try checkLayout(database, path: path)
    try checkStructure(database, path: path)
    if let pagesMax { try database.execute(sql: "PRAGMA max_page_count = \(pagesMax)") }
    guard let row = try Row.fetchOne(database, sql: "SELECT key, generation, is_open, total FROM ahead"),
      let key = row[0] as Data?, key.count == AheadFile.keyBytes
    else { throw PluginError(.io, damagedJournal(path, "no key of the file beside it")) }
    let (generation, isOpen) = (UInt64(bitPattern: row[1] as Int64), row[2] as Bool)
    let total = try RecordMark.total(database, path: path)
    guard row[3] == total &+ RecordMark.ofState(key: [UInt8](key), generation: generation, isOpen: isOpen) else {
      let finding = "some records are missing, or are of an earlier moment than others"
      throw PluginError(.io, damagedJournal(path, finding))
    }
    return ([UInt8](key), generation, isOpen, total)
  }

  private static func checkStructure(_ database: Database, path: String) throws {
    let finding = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
    guard finding == "ok" else {
      throw PluginError(.io, damagedJournal(path, finding.replacing("\n", with: ": ")))
    }
  }

  private static func checkLayout(_ database: Database, path: String) throws {
    let ahead = """
      CREATE TABLE ahead (
        key BLOB NOT NULL, generation INTEGER NOT NULL, is_open INTEGER NOT NULL, total INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      INSERT INTO ahead VALUES (randomblob(\(AheadFile.keyBytes)), 0, 0, 0);
      """
    try database.inTransaction(.immediate) {
      let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
      if application == 0 && version == 0 && tables == 0 {
        try database.execute(
          sql: """
            \(RecordMark.table);
            PRAGMA application_id = \(applicationID);
            PRAGMA user_version = \(schemaVersion);
            \(ahead)
            """)
        try RecordMark.store(total: 0, database)
        try AheadFile.refuseOrphan(path + "-ahead")
        return .commit
      }
      guard application == applicationID else {
        throw PluginError(.invalid, "\(path) is an SQLite file of another program; name a new file for the journal")
      }
      if version == 1 || version == 2 {
        try checkStructure(database, path: path)
        try database.execute(
          sql: version == 1 ? ahead : "ALTER TABLE ahead ADD COLUMN total INTEGER NOT NULL DEFAULT 0")
        try RecordMark.begin(database)
        try database.execute(sql: "PRAGMA user_version = \(schemaVersion)")
        return .commit
      }
      if version == 3 {
        // What its marks do not hold is found at once, when all are looked at.
        try checkStructure(database, path: path)
        try RecordMark.move(database)
        try database.execute(sql: "PRAGMA user_version = \(schemaVersion)")
        return .commit
      }
      guard version == schemaVersion else {
        throw PluginError(
          .invalid,
          "\(path) has layout \(version), this program knows \(schemaVersion); run the version that wrote it")
      }
      return .commit
    }
  }

  public func get(_ key: [UInt8]) throws(PluginError) -> [UInt8]? {
    try SQLiteStorage.check(key: key)
    try checkState()
    if let changed = ahead.withLock({ $0.changed[key] }) { return changed }
    return try access { database in
      let statement = try database.cachedStatement(sql: "SELECT key, value, mark FROM entry WHERE key = ?")
      return try Row.fetchOne(statement, arguments: [Data(key)]).map { try RecordMark.check($0, path: path).value }
    }
  }

  public func scan(prefix: [UInt8], from start: [UInt8], limit: Int) throws(PluginError)
    -> [(key: [UInt8], value: [UInt8])]
  {
    guard limit > 0 else { return [] }
    let low = start.lexicographicallyPrecedes(prefix) ? prefix : start
    let high = SQLiteStorage.end(ofPrefix: prefix)
    try checkState()
    let changed = ahead.withLock { $0.changed }.filter { key, _ in
      !key.lexicographicallyPrecedes(low) && high.map { key.lexicographicallyPrecedes($0) } ?? true
    }
    let rows = try rows(from: low, to: high, limit: limit) { changed[$0] == nil }
    guard !changed.isEmpty else { return rows }
    // Behind the last of as many rows as are wanted there may be others, which stand before later changes.
    let last = rows.count < limit ? nil : rows.last?.key
    var found = rows
    for (key, value) in changed {
      if let value, last.map({ !$0.lexicographicallyPrecedes(key) }) ?? true { found.append((key, value)) }
    }
    found.sort { $0.key.lexicographicallyPrecedes($1.key) }
    return Array(found.prefix(limit))
  }

  /// The first rows that are wanted, at most `limit`.
  private func rows(from low: [UInt8], to high: [UInt8]?, limit: Int, where isWanted: ([UInt8]) -> Bool)
    throws(PluginError) -> [(key: [UInt8], value: [UInt8])]
  {
    try access { database in
      let bound = high == nil ? "" : " AND key < ?"
      let statement = try database.cachedStatement(
        sql: "SELECT key, value, mark FROM entry WHERE key >= ?\(bound) ORDER BY key")
      let arguments: StatementArguments = if let high { [Data(low), Data(high)] } else { [Data(low)] }
      let cursor = try Row.fetchCursor(statement, arguments: arguments)
      var found: [(key: [UInt8], value: [UInt8])] = []
      while found.count < limit, let row = try cursor.next() {
        let record = try RecordMark.check(row, path: path)
        if isWanted(record.key) { found.append((record.key, record.value)) }
      }
      return found
    }
  }

  public func apply(_ batch: StorageBatch, durable: Bool) throws(PluginError) {
    for change in batch.changes {
      switch change {
      case .put(let key, let value):
        try SQLiteStorage.check(key: key)
        guard value.count <= SQLiteStorage.valueBytesMax else {
          throw PluginError(
            .invalid, "A value of \(value.count) bytes; at most \(SQLiteStorage.valueBytesMax) are stored")
        }
      case .delete(let key): try SQLiteStorage.check(key: key)
      }
    }
    try ahead.withLock { (ahead) throws(PluginError) in
      try checkState()
      if try goesAhead(batch, durable, &ahead.file) { return ahead.changed.merge(batch) }
      var all = ahead
      all.changed.merge(batch)
      do {
        try database.writeWithoutTransaction { try SQLiteStorage.commit($0, &all, isOpen: all.file.capacity > 0) }
      } catch {
        let failure = translate(error, path: path)
        // Another one may have happened all the same, and what would go ahead now belong to a generation that is over.
        if !isHarmless(error) { state.withLock { $0.failure = failure } }
        throw failure
      }
      ahead = all
    }
  }

  /// - Returns: Whether the ahead file has it now; `false`: it has no room.
  private func goesAhead(_ batch: StorageBatch, _ durable: Bool, _ file: inout AheadFile) throws(PluginError) -> Bool {
    do {
      return try file.append(batch, durable: durable)
    } catch {
      // What the system did with the blocks of a failed sync is unknown.
      state.withLock { $0.failure = error }
      throw error
    }
  }

  private static func perform(_ change: StorageChange, on database: Database, _ total: inout Int64) throws {
    let before = try database.cachedStatement(sql: "SELECT mark FROM entry WHERE key = ?")
    switch change {
    case .put(let key, let value):
      total &-= try Int64.fetchOne(before, arguments: [Data(key)]) ?? 0
      let mark = RecordMark.of(key, value)
      let statement = try database.cachedStatement(
        sql: """
          INSERT INTO entry (key, value, mark) VALUES (?, ?, ?)
          ON CONFLICT (key) DO UPDATE SET value = excluded.value, mark = excluded.mark
          """)
      try statement.execute(arguments: [Data(key), Data(value), mark])
      total &+= mark
    case .delete(let key):
      total &-= try Int64.fetchOne(before, arguments: [Data(key)]) ?? 0
      try database.cachedStatement(sql: "DELETE FROM entry WHERE key = ?").execute(arguments: [Data(key)])
    }
  }

  public func close() {
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    guard isFirst else { return }
    // Nothing of a caller is lost when the last commit or checkpoint fails: the files beside the database have it.
    ahead.withLock { ahead in
      guard ahead.file.capacity > 0, state.withLock({ $0.failure == nil }) else { return }
      try? database.writeWithoutTransaction { try SQLiteStorage.commit($0, &ahead, isOpen: false) }
    }
    try? database.close()
  }

  /// SQLite's number for the connection's setting, for tests: 2 is full, which syncs each commit.
  func synchronousLevel() throws(PluginError) -> Int {
    try access { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
  }

  /// Reads the file anew, for tests.
  func forgetPages() throws(PluginError) { try access { try $0.execute(sql: "PRAGMA shrink_memory") } }

  private func checkState() throws(PluginError) {
    let refusal = state.withLock { state in
      state.isClosed ? PluginError(.io, "The journal \(path) is closed") : state.failure
    }
    if let refusal { throw refusal }
  }

  private func access<R>(_ body: (Database) throws -> R) throws(PluginError) -> R {
    try checkState()
    do {
      return try database.writeWithoutTransaction(body)
    } catch {
      let failure = translate(error, path: path)
      if isFatal(error) { state.withLock { $0.failure = failure } }
      throw failure
    }
  }

  private static func check(key: [UInt8]) throws(PluginError) {
    guard (1...keyBytesMax).contains(key.count) else {
      throw PluginError(.invalid, "A key of \(key.count) bytes; keys have 1 to \(keyBytesMax)")
    }
  }

  /// The lowest byte string above every one that starts with `prefix`; `nil` when there is none.
  static func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
    guard let last = prefix.lastIndex(where: { $0 != 0xFF }) else { return nil }
    return Array(prefix[..<last]) + [prefix[last] + 1]
  }
}

extension [[UInt8]: [UInt8]?] {
  fileprivate mutating func merge(_ batch: StorageBatch) {
    for change in batch.changes {
      switch change {
      case .put(let key, let value): updateValue(value, forKey: key)
      case .delete(let key): updateValue(nil, forKey: key)
      }
    }
  }
}
