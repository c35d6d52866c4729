import Foundation
import GRDB
import SyncRuntime
import Synchronization

/// A ``Storage`` in one SQLite file, with its write-ahead log beside it while it is open.
///
/// The file belongs to one process: it is locked from opening to closing, with mode 0600. Durable batches are synced
/// to the disk, with every batch before them; a batch that is not durable may be lost with the power, but never
/// without all that came after it.
///
/// Thread: any, one call at a time; calls block on the disk. After an I/O error nothing more is written: what the
/// system did with the pages of a failed sync is unknown, so only opening the file again tells what it holds.
public final class SQLiteStorage: Storage {
  /// What every file of this format carries: the ASCII letters "Sync" in SQLite's `application_id`.
  static let applicationID = 0x5379_6E63
  /// The one layout that there is, in SQLite's `user_version`.
  static let schemaVersion = 1

  public static let keyBytesMax = 1_024
  public static let valueBytesMax = 64 << 20

  private let path: String
  private let database: DatabaseQueue
  private let state = Mutex(State())

  private struct State {
    var isClosed = false
    /// The connection's `synchronous` setting: full after opening.
    var isDurable = true
    /// The first I/O error; it answers every later call.
    var failure: PluginError?
  }

  /// Opens the file at `path`, or creates it.
  ///
  /// - Throws: ``PluginError/Code/unavailable`` when another process has the file, ``PluginError/Code/invalid`` when it
  ///   is no journal or one of another version, ``PluginError/Code/io`` when it is damaged or cannot be opened.
  public convenience init(path: String) throws(PluginError) { try self.init(path: path, pagesMax: nil) }

  /// - Parameter pagesMax: The most pages that the file may have: a full disk, for tests.
  package init(path: String, pagesMax: Int?) throws(PluginError) {
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
          PRAGMA journal_size_limit = 16777216;
          """)
    }
    do {
      let database = try DatabaseQueue(path: path, configuration: configuration)
      try database.writeWithoutTransaction { try SQLiteStorage.prepare($0, path: path, pagesMax: pagesMax) }
      (self.path, self.database) = (path, database)
    } catch {
      throw translate(error, path: path)
    }
  }

  private static func prepare(_ database: Database, path: String, pagesMax: Int?) throws {
    try database.inTransaction(.immediate) {
      let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
      if application == 0 && version == 0 && tables == 0 {
        try database.execute(
          sql: """
            CREATE TABLE entry (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
            PRAGMA application_id = \(applicationID);
            PRAGMA user_version = \(schemaVersion);
            """)
        return .commit
      }
      guard application == applicationID else {
        throw PluginError(.invalid, "\(path) is an SQLite file of another program; name a new file for the journal")
      }
      guard version == schemaVersion else {
        throw PluginError(
          .invalid,
          "\(path) has layout \(version), this program knows \(schemaVersion); run the version that wrote it")
      }
      return .commit
    }
    let finding = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
    guard finding == "ok" else {
      throw PluginError(.io, damaged(path, finding.replacing("\n", with: ": ")))
    }
    if let pagesMax { try database.execute(sql: "PRAGMA max_page_count = \(pagesMax)") }
  }

  public func get(_ key: [UInt8]) throws(PluginError) -> [UInt8]? {
    try SQLiteStorage.check(key: key)
    return try access { database in
      let statement = try database.cachedStatement(sql: "SELECT value FROM entry WHERE key = ?")
      return try Data.fetchOne(statement, arguments: [Data(key)]).map { [UInt8]($0) }
    }
  }

  public func scan(prefix: [UInt8], from start: [UInt8], limit: Int) throws(PluginError)
    -> [(key: [UInt8], value: [UInt8])]
  {
    guard limit > 0 else { return [] }
    let low = Data(start.lexicographicallyPrecedes(prefix) ? prefix : start)
    let high = SQLiteStorage.end(ofPrefix: prefix)
    return try access { database in
      let bound = high == nil ? "" : " AND key < ?"
      let statement = try database.cachedStatement(
        sql: "SELECT key, value FROM entry WHERE key >= ?\(bound) ORDER BY key LIMIT ?")
      let arguments: StatementArguments = if let high { [low, Data(high), limit] } else { [low, limit] }
      return try Row.fetchAll(statement, arguments: arguments).map { row in
        let (key, value): (Data, Data) = (row[0], row[1])
        return ([UInt8](key), [UInt8](value))
      }
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
    try access { database in
      if state.withLock({ $0.isDurable != durable }) {
        try database.execute(sql: "PRAGMA synchronous = \(durable ? "FULL" : "NORMAL")")
        state.withLock { $0.isDurable = durable }
      }
      try database.inTransaction(.immediate) {
        for change in batch.changes { try SQLiteStorage.perform(change, on: database) }
        return .commit
      }
    }
  }

  private static func perform(_ change: StorageChange, on database: Database) throws {
    switch change {
    case .put(let key, let value):
      let statement = try database.cachedStatement(
        sql: "INSERT INTO entry (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
      try statement.execute(arguments: [Data(key), Data(value)])
    case .delete(let key):
      try database.cachedStatement(sql: "DELETE FROM entry WHERE key = ?").execute(arguments: [Data(key)])
    }
  }

  public func close() {
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    guard isFirst else { return }
    // Nothing of a caller is lost when the last checkpoint fails: the log beside the file still has it.
    try? database.close()
  }

  /// SQLite's number for the connection's setting: 1 is normal, 2 is full.
  func synchronousLevel() throws(PluginError) -> Int {
    try access { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
  }

  private func access<R>(_ body: (Database) throws -> R) throws(PluginError) -> R {
    let refusal = state.withLock { state in
      state.isClosed ? PluginError(.io, "The journal \(path) is closed") : state.failure
    }
    if let refusal { throw refusal }
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
