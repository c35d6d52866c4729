import Foundation
import GRDB
import SyncProof
import SyncRuntime

/// What a record carries, so that bytes which the disk gives back otherwise than they were written are no record: the
/// first 64 bits of the SHA-256 of "entry", the key's length in four bytes, the key and the value. It is no secret, and
/// keeps off nobody who writes to the file.
enum RecordMark {
  /// Rows have numbers, and the keys an index of their own: where the key leads the rows themselves, each row that a
  /// search passes is read whole, which may be a block of a megabyte. The mark stands before the value, so that what
  /// only wants it does not go through the value's pages.
  static let table =
    "CREATE TABLE entry (key BLOB NOT NULL PRIMARY KEY, mark INTEGER NOT NULL, value BLOB NOT NULL) STRICT"

  static func of(_ key: [UInt8], _ value: [UInt8]) -> Int64 {
    var hash = SHA256.Stream()
    let count = UInt32(key.count)
    hash.update([UInt8]("entry".utf8) + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + key)
    hash.update(value)
    return Int64(bitPattern: hash.finish().bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Of what the database says of the file beside it, from whose mark the total begins.
  static func ofState(key: [UInt8], generation: UInt64, isOpen: Bool) -> Int64 {
    var hash = SHA256.Stream()
    hash.update([UInt8]("ahead".utf8) + key)
    hash.update((0..<8).map { UInt8(truncatingIfNeeded: generation >> (56 - 8 * $0)) } + [isOpen ? 1 : 0])
    return Int64(bitPattern: hash.finish().bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Writes the total for records with such marks.
  static func store(total: Int64, _ database: Database) throws {
    guard let row = try Row.fetchOne(database, sql: "SELECT key, generation, is_open FROM ahead") else { return }
    let state = ofState(
      key: [UInt8](row[0] as Data), generation: UInt64(bitPattern: row[1] as Int64), isOpen: row[2] as Bool)
    try database.execute(sql: "UPDATE ahead SET total = ?", arguments: [total &+ state])
  }

  /// - Parameter row: Key, value and mark.
  /// - Throws: ``PluginError/Code/io`` for another record than was written.
  static func check(_ row: Row, path: String) throws -> (key: [UInt8], value: [UInt8], mark: Int64) {
    // What rots may be of another type, also in the index alone, where nothing but this looks at it.
    guard case .blob(let name) = (row[0] as DatabaseValue).storage,
      case .blob(let text) = (row[1] as DatabaseValue).storage
    else { throw PluginError(.io, damagedJournal(path, "a record has neither key nor value")) }
    let (key, value) = ([UInt8](name), [UInt8](text))
    let mark = of(key, value)
    guard mark == Int64.fromDatabaseValue(row[2]) else {
      let name = key.prefix(40).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      throw PluginError(.io, damagedJournal(path, "the record of the key \(name) is not as it was written"))
    }
    return (key, value, mark)
  }

  /// Checks all records, each as its key's entry in the index leads to it: one that cannot be found is missing.
  ///
  /// - Returns: The total of their marks, modulo 2⁶⁴.
  static func total(_ database: Database, path: String) throws -> Int64 {
    let rows = try Row.fetchCursor(
      database, sql: "SELECT key, value, mark FROM entry INDEXED BY sqlite_autoindex_entry_1 ORDER BY key")
    var total: Int64 = 0
    var last: [UInt8]?
    while let row = try rows.next() {
      let record = try check(row, path: path)
      // A search finds what stands in order, and nothing else.
      if let last, !last.lexicographicallyPrecedes(record.key) {
        throw PluginError(.io, damagedJournal(path, "its keys do not stand in their order"))
      }
      last = record.key
      total &+= record.mark
    }
    return total
  }

  /// Moves the records, with the marks that they have, to a table as this version has it.
  static func move(_ database: Database) throws {
    try database.execute(
      sql: """
        ALTER TABLE entry RENAME TO earlier;
        \(table);
        INSERT INTO entry (key, mark, value) SELECT key, mark, value FROM earlier ORDER BY key;
        DROP TABLE earlier;
        """)
  }

  /// Gives marks to records that have none yet, and moves them.
  static func begin(_ database: Database) throws {
    let function = DatabaseFunction("record_mark", argumentCount: 2, pure: true) { values in
      guard let key = Data.fromDatabaseValue(values[0]), let value = Data.fromDatabaseValue(values[1]) else {
        return nil
      }
      return of([UInt8](key), [UInt8](value))
    }
    database.add(function: function)
    defer { database.remove(function: function) }
    try database.execute(
      sql: """
        ALTER TABLE entry ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
        UPDATE entry SET mark = record_mark(key, value);
        """)
    try move(database)
    let marks = try Int64.fetchCursor(database, sql: "SELECT mark FROM entry")
    var total: Int64 = 0
    while let mark = try marks.next() { total &+= mark }
    try store(total: total, database)
  }
}
