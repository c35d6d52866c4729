import SyncRuntime

/// Checks that a ``Storage`` keeps its protocol's promises.
///
/// ```swift
/// let findings = StorageCompatTest { place in try SQLiteStorage(path: "\(folder)/\(place).sqlite") }.run()
/// ```
public struct StorageCompatTest {
  /// Opens the storage at a place; the same place has the same content after `close` and opening again.
  public typealias Open = (_ place: String) throws -> any Storage

  private let open: Open

  /// - Parameter open: Given names of letters and hyphens; each was empty before this suite ran.
  public init(open: @escaping Open) { self.open = open }

  public func run() -> [CompatFinding] {
    [
      check("what was put is got") { storage in
        try require(storage.get([1]) == nil, "a key is there that nobody put")
        try storage.apply(StorageBatch([.put(key: [1], value: [2, 3])]), durable: true)
        try require(storage.get([1]) == [2, 3], "another value came back")
        try storage.apply(StorageBatch([.put(key: [1], value: [4])]), durable: false)
        try require(storage.get([1]) == [4], "a second put did not replace the first")
      },
      check("an empty value is a value") { storage in
        try storage.apply(StorageBatch([.put(key: [1], value: [])]), durable: true)
        try require(storage.get([1]) == [], "an empty value came back as something else")
        try require(storage.scan(prefix: [1], from: [], limit: 9).map(\.value) == [[]], "a scan changes it")
      },
      check("what was deleted is gone") { storage in
        try storage.apply(StorageBatch([.put(key: [1], value: [2])]), durable: true)
        try storage.apply(StorageBatch([.delete(key: [1]), .delete(key: [9])]), durable: true)
        try require(storage.get([1]) == nil, "a deleted key is still there")
      },
      check("a batch is applied in its order") { storage in
        let batch = StorageBatch([
          .put(key: [1], value: [1]), .delete(key: [1]), .put(key: [1], value: [2]), .put(key: [2], value: [1]),
          .delete(key: [2]),
        ])
        try storage.apply(batch, durable: true)
        try require(storage.get([1]) == [2] && storage.get([2]) == nil, "a later change did not win")
        try storage.apply(StorageBatch(), durable: true)
      },
      check("keys have 1 to 1,024 bytes") { storage in
        let longest = [UInt8](repeating: 0xFF, count: 1_024)
        try storage.apply(StorageBatch([.put(key: longest, value: [1]), .put(key: [0], value: [2])]), durable: true)
        try require(storage.get(longest) == [1] && storage.get([0]) == [2], "a key at a bound was lost")
        for key in [[], longest + [0]] {
          try expect(.invalid, "a key of \(key.count) bytes") {
            try storage.apply(StorageBatch([.put(key: [7], value: [7]), .put(key: key, value: [1])]), durable: true)
          }
        }
        try require(storage.get([7]) == nil, "half of a refused batch was applied")
      },
      check("values have up to 64 MiB") { storage in
        let value = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try storage.apply(StorageBatch([.put(key: [1], value: value)]), durable: true)
        try require(storage.get([1]) == value, "4 MiB came back changed")
        let tooLong = [UInt8](repeating: 0, count: (64 << 20) + 1)
        try expect(.invalid, "a value above the bound") {
          try storage.apply(StorageBatch([.put(key: [2], value: tooLong)]), durable: true)
        }
      },
      check("scans are in byte order", scanOrder),
      check("scans stay inside their prefix", scanPrefix),
      check("a scan gives all, however much it is", scanMuch),
      check("it equals a sorted map after 2,000 random changes", equalsModel),
      reopen(),
      check("after close calls fail with io") { storage in
        storage.close()
        storage.close()
        try expect(.io, "get after close") { _ = try storage.get([1]) }
        try expect(.io, "scan after close") { _ = try storage.scan(prefix: [], from: [], limit: 1) }
        try expect(.io, "apply after close") { try storage.apply(StorageBatch(), durable: true) }
      },
    ]
  }

  private func scanOrder(_ storage: any Storage) throws {
    let keys: [[UInt8]] = [
      [0], [0, 0], [0, 1], [1], [0x7F], [0x80], [0x80, 0], [0xFE, 0xFF], [0xFF], [0xFF, 0xFF],
    ]
    try storage.apply(StorageBatch(keys.reversed().map { .put(key: $0, value: $0) }), durable: true)
    let all = try storage.scan(prefix: [], from: [], limit: 100)
    try require(all.map(\.key) == keys && all.map(\.value) == keys, "the order is \(all.map(\.key))")
    try require(
      storage.scan(prefix: [], from: [0, 1], limit: 3).map(\.key) == Array(keys[2..<5]), "`from` or `limit` is wrong")
    try require(storage.scan(prefix: [], from: [], limit: 0).isEmpty, "a limit of 0 gave entries")
    try require(
      storage.scan(prefix: [], from: [0x80, 0, 0], limit: 1).map(\.key) == [[0xFE, 0xFF]],
      "a start between two keys is wrong")
  }

  private func scanPrefix(_ storage: any Storage) throws {
    let keys: [[UInt8]] = [[0x61], [0x61, 0x2F], [0x61, 0xFF], [0x61, 0xFF, 0xFF], [0x62], [0xFF], [0xFF, 0xFF, 1]]
    try storage.apply(StorageBatch(keys.map { .put(key: $0, value: [1]) }), durable: true)
    let rows: [(prefix: [UInt8], from: [UInt8], keys: [[UInt8]])] = [
      ([0x61], [], Array(keys[..<4])),
      ([0x61], [0x61, 0xFF], Array(keys[2..<4])),
      ([0x61], [0x60], Array(keys[..<4])),
      ([0x61], [0x62], []),
      ([0x61, 0xFF], [], Array(keys[2..<4])),
      ([0x62], [0x61], [[0x62]]),
      ([0xFF], [], Array(keys[5...])),
      ([0xFF, 0xFF], [], [[0xFF, 0xFF, 1]]),
      ([0xFF], [0xFF, 0], [[0xFF, 0xFF, 1]]),
      ([0x63], [], []),
    ]
    for row in rows {
      let found = try storage.scan(prefix: row.prefix, from: row.from, limit: 100).map(\.key)
      try require(found == row.keys, "prefix \(row.prefix) from \(row.from) gives \(found)")
    }
  }

  /// 80 MiB, which is more than one answer of a C plugin holds; behind each value that may not fit comes a small one
  /// that would.
  private func scanMuch(_ storage: any Storage) throws {
    let counts = (0..<24).map { $0 % 5 == 4 ? 1 : 4 << 20 }
    func value(_ number: Int) -> [UInt8] { [UInt8](repeating: UInt8(number), count: counts[number]) }
    for number in counts.indices {
      try storage.apply(StorageBatch([.put(key: [7, UInt8(number)], value: value(number))]), durable: false)
    }
    try storage.apply(StorageBatch(), durable: true)
    let found = try storage.scan(prefix: [7], from: [], limit: 100)
    try require(found.count == counts.count, "\(found.count) of \(counts.count) came")
    for (number, record) in found.enumerated() {
      try require(record.key == [7, UInt8(number)], "key \(record.key) came as number \(number)")
      try require(record.value == value(number), "value \(number) came changed")
    }
  }

  private func equalsModel(_ storage: any Storage) throws {
    var random: UInt64 = 42
    func next(_ bound: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (random >> 33) % bound
    }
    var model: [[UInt8]: [UInt8]] = [:]
    for step in 0..<200 {
      var batch = StorageBatch()
      for _ in 0..<10 {
        let key = (0..<1 + next(3)).map { _ in [0, 1, 0x7F, 0x80, 0xFF][Int(next(5))] as UInt8 }
        if next(3) == 0 {
          batch.changes.append(.delete(key: key))
          model[key] = nil
        } else {
          let value = [UInt8](repeating: UInt8(next(256)), count: Int(next(5_000)))
          batch.changes.append(.put(key: key, value: value))
          model[key] = value
        }
      }
      try storage.apply(batch, durable: step % 20 == 0)
    }
    let keys = model.keys.sorted { $0.lexicographicallyPrecedes($1) }
    let found = try storage.scan(prefix: [], from: [], limit: 10_000)
    try require(found.map(\.key) == keys, "\(found.count) keys are there, \(keys.count) are wanted")
    for (key, value) in found { try require(model[key] == value, "key \(key) has another value") }
  }

  private func reopen() -> CompatFinding {
    CompatFinding.check("what was applied is there after opening again") {
      let first = try open("reopen")
      try first.apply(StorageBatch([.put(key: [1], value: [1])]), durable: false)
      try first.apply(StorageBatch([.put(key: [2], value: [2])]), durable: true)
      first.close()
      let second = try open("reopen")
      defer { second.close() }
      try require(second.get([1]) == [1], "a batch that a durable one followed is lost")
      try require(second.get([2]) == [2], "a durable batch is lost")
    }
  }

  private func check(_ name: String, _ body: (any Storage) throws -> Void) -> CompatFinding {
    CompatFinding.check(name) {
      let storage = try open(String(name.map { $0.isLetter ? $0 : "-" }))
      defer { storage.close() }
      try body(storage)
    }
  }

  private func expect(_ code: PluginError.Code, _ what: String, _ body: () throws -> Void) throws {
    do { try body() } catch let error as PluginError {
      return try require(
        error.code == code, "\(what) fails with code \(error.code.rawValue) instead of \(code.rawValue)")
    }
    throw CompatFailure("\(what) does not fail")
  }
}
