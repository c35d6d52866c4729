import Foundation
import SQLiteStorage
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

/// The power is cut at any write of a journal's life: while batches go ahead, while the database is given them, while
/// it brings its own log home, at opening and at closing.
///
/// A process of its own works on a journal, and all that it does to its files is written down (`Tests/Faults/disk.c`).
/// What a disk may hold behind a cut is made of that: each file as it was when it was last synced, and of what came
/// after that all, nothing, a beginning, or any part, the last write torn; a name that was made or taken away stands
/// once its folder was synced, before that perhaps.
@Suite struct PowerCutTests {
  private static let isLong = ProcessInfo.processInfo.environment["SYNC_SEARCH"] == "long"

  @Test(arguments: [UInt64](1...(isLong ? 8 : 2)))
  func aCutAtAnyWriteLosesNothingThatWasDurable(_ seed: UInt64) throws {
    try withLife(seed) { life, folder in
      // Both files of the database were written, the log beside it was brought home, and batches went ahead.
      #expect(["j", "j-wal", "j-ahead"].allSatisfy { life.writes(of: $0) > 20 }, "\(life.names)")
      let found = try findings(life, seed, count: Self.isLong ? 400 : 60, folder)
      #expect(found == [])
    }
  }

  /// That the above can fail: on a disk that calls batches synced which are not, they are lost.
  @Test func aDiskThatLiesIsNoticed() throws {
    try withLife(3) { life, folder in
      let found = try findings(life, 3, count: 20, folder, lies: true)
      #expect(!found.isEmpty)
    }
  }

  private func withLife(_ seed: UInt64, _ body: (Life, String) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "power-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: root + "/work", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let life = try Life(seed: seed, root: root)
    #expect(life.told.last?.isDone == true && life.told.last?.step == JournalWork.steps(seed: seed).count - 1)
    try body(life, root + "/left")
  }

  /// What is lost behind cuts anywhere, and behind as many just before and just behind a sync.
  private func findings(_ life: Life, _ seed: UInt64, count: Int, _ folder: String, lies: Bool = false) throws
    -> [String]
  {
    let steps = JournalWork.steps(seed: seed)
    var random = SeededGenerator(seed: seed)
    var cuts = Set((0..<count).map { _ in Int.random(in: 0...life.events.count, using: &random) })
    let syncs = life.events.indices.filter { life.events[$0].what == .sync }
    for _ in 0..<count { cuts.insert(syncs.randomElement(using: &random)! + Int.random(in: 0...1, using: &random)) }
    var disk = Disk(names: life.names, lies: lies)
    var (next, found): (Int, [String]) = (0, [])
    for cut in cuts.sorted() {
      while next < cut {
        disk.take(life.events[next])
        next += 1
      }
      let left = disk.cut(&random)
      if let finding = try finding(left.files, in: folder, steps, life.told.prefix { $0.at <= cut }) {
        found.append("seed \(seed), behind \(cut) of \(life.events.count) calls, \(left.how): \(finding)")
      }
    }
    return found
  }

  private func finding(
    _ files: [String: [UInt8]], in folder: String, _ steps: [JournalWork.Step], _ told: some Sequence<Life.Told>
  ) throws -> String? {
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    for (name, bytes) in files { try Data(bytes).write(to: URL(filePath: folder + "/" + name)) }
    var (begun, durable) = (0, 0)
    for told in told {
      if !told.isDone { begun = told.step + 1 }
      if told.isDone, case .apply(_, durable: true) = steps[told.step] { durable = told.step + 1 }
    }
    do {
      return try lost(in: folder, steps, durable...begun)
    } catch let error as PluginError {
      return error.message
    }
  }

  private func lost(in folder: String, _ steps: [JournalWork.Step], _ possible: ClosedRange<Int>) throws -> String? {
    let journal = try SQLiteStorage(path: folder + "/j")
    defer { journal.close() }
    let found = try contents(of: journal)
    guard possible.contains(where: { JournalWork.state(behind: steps.prefix($0)) == found }) else {
      return "nothing that it was between steps \(possible)"
    }
    // It goes on from there.
    try journal.apply(StorageBatch([.put(key: [100], value: [1])]), durable: true)
    journal.close()
    let again = try SQLiteStorage(path: folder + "/j")
    defer { again.close() }
    return try contents(of: again) == found.merging([[100]: [1]]) { $1 } ? nil : "opened again, it is something else"
  }

  private func contents(of journal: SQLiteStorage) throws -> [[UInt8]: [UInt8]] {
    Dictionary(uniqueKeysWithValues: try journal.scan(prefix: [], from: [], limit: .max).map { ($0.key, $0.value) })
  }
}

/// All that a process did to the files of its journal.
private struct Life {
  struct Event {
    enum What: UInt8 {
      case write = 0x77
      case sync = 0x73
      case truncate = 0x74
      case unlink = 0x75
      case open = 0x6F
    }

    let what: What
    let file: Int
    let offset: Int
    let bytes: ArraySlice<UInt8>
  }

  struct Told {
    let step: Int
    let isDone: Bool
    /// How many events came before.
    let at: Int
  }

  private(set) var names: [String] = []
  private(set) var events: [Event] = []
  private(set) var told: [Told] = []

  init(seed: UInt64, root: String) throws {
    let here = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    let (library, log) = (root + "/disk.so", root + "/log")
    try Self.run(["/usr/bin/env", "cc", "-O1", "-shared", "-fPIC", "-o", library, here + "/Faults/disk.c", "-ldl"])
    let program = URL(filePath: try #require(ChrootWorld.initPath)).deletingLastPathComponent().path
    try Self.run(
      ["\(program)/ConsensusBench", "journal", "\(seed)", root + "/work"],
      environment: ["LD_PRELOAD": library, "SYNC_DISK_FOLDER": root + "/work", "SYNC_DISK_LOG": log])
    try parse([UInt8](try Data(contentsOf: URL(filePath: log))))
  }

  private mutating func parse(_ log: [UInt8]) throws {
    var at = 0
    func integer(_ count: Int, _ place: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(log[at + place + $1]) << (8 * $1) }
    }
    while at < log.count {
      let what = try #require(Event.What(rawValue: log[at]))
      let (file, count, offset) = (integer(1, 1), integer(4, 4), integer(8, 8))
      let bytes = log[at + 16..<at + 16 + count]
      at += 16 + count
      if what == .open, file == names.count { names.append(String(decoding: bytes, as: UTF8.self)) }
      if names[file] != "told" {
        events.append(Event(what: what, file: file, offset: offset, bytes: bytes))
      } else if what == .write {
        told.append(Told(step: Int(bytes[bytes.startIndex]), isDone: bytes.last == 1, at: events.count))
      }
    }
  }

  func writes(of name: String) -> Int { events.count { $0.what == .write && names[$0.file] == name } }

  private static func run(_ words: [String], environment: [String: String] = [:]) throws {
    let process = Process()
    process.executableURL = URL(filePath: words[0])
    process.arguments = Array(words.dropFirst())
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationReason == .exit && process.terminationStatus == 0, "\(words)")
  }
}

/// What is certain to be on a disk, and what may be.
private struct Disk {
  private struct File {
    /// As it was when it was last synced.
    var synced: [UInt8] = []
    var later: [Life.Event] = []
    /// Whether it has its name, as the process sees it and as the folder had it when it was last synced.
    var (isThere, isThereForCertain) = (false, false)
  }

  private let names: [String]
  /// A file of batches stays as it was made, whatever is called synced.
  private let lies: Bool
  private var files: [File]

  init(names: [String], lies: Bool) { (self.names, self.lies, files) = (names, lies, names.map { _ in File() }) }

  mutating func take(_ event: Life.Event) {
    let file = event.file
    switch event.what {
    case .open: files[file].isThere = true
    case .unlink:
      // The next one of that name is another file. That the old one may come back in its place is not looked at.
      files[file].isThere = false
      files[file].later.append(event)
    case .write, .truncate: files[file].later.append(event)
    case .sync:
      if names[file] == "." {
        for index in files.indices { files[index].isThereForCertain = files[index].isThere }
      } else if !lies || names[file] != "j-ahead" || files[file].synced.isEmpty {
        files[file].synced = Self.with(files[file].later, on: files[file].synced)
        files[file].later = []
      }
    }
  }

  private static func with(_ events: some Sequence<Life.Event>, on before: [UInt8]) -> [UInt8] {
    var bytes = before
    for event in events {
      switch event.what {
      case .write:
        let end = event.offset + event.bytes.count
        if end > bytes.count { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
        bytes.replaceSubrange(event.offset..<end, with: event.bytes)
      case .truncate:
        if event.offset < bytes.count { bytes.removeSubrange(event.offset...) }
        bytes += [UInt8](repeating: 0, count: event.offset - bytes.count)
      case .unlink: bytes = []
      case .sync, .open: break
      }
    }
    return bytes
  }

  /// One of the things that may be left.
  func cut(_ random: inout SeededGenerator) -> (files: [String: [UInt8]], how: String) {
    var (left, how): ([String: [UInt8]], [String]) = ([:], [])
    for (file, name) in zip(files, names) where name != "." && name != "told" {
      let isThere = file.isThere == file.isThereForCertain ? file.isThere : Bool.random(using: &random)
      guard isThere else { continue }
      let kept: [Life.Event]
      switch Int.random(in: 0..<5, using: &random) {
      case 0: (kept, how) = (file.later, how + ["\(name) with all of \(file.later.count)"])
      case 1: (kept, how) = ([], how + ["\(name) without its last \(file.later.count)"])
      case 2:
        let count = Int.random(in: 0...file.later.count, using: &random)
        kept = Self.torn(file.later.prefix(count), &random)
        how.append("\(name) with \(count) of \(file.later.count), the last torn")
      default:
        kept = Self.torn(file.later.filter { _ in Bool.random(using: &random) }[...], &random)
        how.append("\(name) with any \(kept.count) of \(file.later.count)")
      }
      left[name] = Self.with(kept, on: file.synced)
    }
    return (left, how.joined(separator: ", "))
  }

  /// The last write, if it is one, as far as some sector.
  private static func torn(_ events: ArraySlice<Life.Event>, _ random: inout SeededGenerator) -> [Life.Event] {
    guard let last = events.last, last.what == .write else { return Array(events) }
    let sectors = Int.random(in: 0...(last.bytes.count + 511) / 512, using: &random)
    let kept = last.bytes.prefix(sectors * 512)
    return events.dropLast() + [Life.Event(what: .write, file: last.file, offset: last.offset, bytes: kept)]
  }
}
