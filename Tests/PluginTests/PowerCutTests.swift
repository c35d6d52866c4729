import Foundation
import SQLiteStorage
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

/// The power is cut at any write of a journal's life: while batches go ahead, while the database is given them, while
/// it brings its own log home, at opening, also behind a kill, and at closing.
///
/// A process of its own works on a journal, and all that it does to its files is written down (`Tests/Faults/disk.c`).
/// What a disk may hold behind a cut is made of that: each file as it was when it was last synced, and of what came
/// after that all, nothing, a beginning, or any of its pages, the last one torn; a name that was made or taken away
/// stands once its folder was synced, before that perhaps.
@Suite struct PowerCutTests {
  private static let isLong = ProcessInfo.processInfo.environment["SYNC_SEARCH"] == "long"

  @Test(arguments: [UInt64](1...(isLong ? 8 : 2)))
  func aCutAtAnyWriteLosesNothingThatWasDurable(_ seed: UInt64) throws {
    try withLife(seed) { life, root in
      // Both files of the database were written, the log beside it was brought home, and batches went ahead.
      #expect(["j", "j-wal", "j-ahead"].allSatisfy { name in life.events.count { $0.isWrite(of: name) } > 20 })
      let found = try findings(life, seed, count: Self.isLong ? 400 : 30, root)
      #expect(found == [])
    }
  }

  /// The process is killed, and the power cut while the next one takes over what it has left.
  @Test func aCutBehindAKillLosesNothingThatWasDurable() throws {
    try withLife(4) { life, root in
      let found = try findingsBehindKills(life, 4, count: Self.isLong ? 100 : 2, root)
      #expect(found == [])
    }
  }

  /// That the above can fail: on a disk that calls one of the files synced and is wrong, batches are lost.
  @Test(arguments: ["j", "j-wal", "j-ahead"]) func aDiskThatLiesIsNoticed(_ name: String) throws {
    try withLife(3) { life, root in
      let found = try findings(life, 3, count: 10, root, liar: name)
      #expect(!found.isEmpty)
    }
  }

  private func withLife(_ seed: UInt64, _ body: (Life, String) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "power-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: root + "/work", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let life = try Life(seed: seed, in: root + "/work", log: root + "/log")
    #expect(life.told.last?.isDone == true && life.told.last?.step == JournalWork.steps(seed: seed).count - 1)
    try body(life, root)
  }

  /// What is lost behind cuts anywhere, and behind as many just before and just behind a sync.
  private func findings(_ life: Life, _ seed: UInt64, count: Int, _ root: String, liar: String? = nil) throws
    -> [String]
  {
    var random = SeededGenerator(seed: seed)
    var cuts = Set((0..<count).map { _ in Int.random(in: 0...life.events.count, using: &random) })
    let syncs = life.events.indices.filter { life.events[$0].what == .sync }
    for _ in 0..<count { cuts.insert(syncs.randomElement(using: &random)! + Int.random(in: 0...1, using: &random)) }
    var disk = Disk(liar: liar)
    var (next, found): (Int, [String]) = (0, [])
    for cut in cuts.sorted() {
      disk.take(life.events[next..<cut])
      next = cut
      let left = disk.cut(&random)
      if let finding = try finding(left.files, in: root + "/left", possible(life, at: cut, seed)) {
        found.append("seed \(seed), behind \(cut) of \(life.events.count) calls, \(left.how): \(finding)")
      }
    }
    return found
  }

  private func findingsBehindKills(_ life: Life, _ seed: UInt64, count: Int, _ root: String) throws -> [String] {
    var random = SeededGenerator(seed: seed)
    // Once it has a journal at all.
    let first = try #require(life.told.first).at
    var disk = Disk(liar: nil)
    var (next, found): (Int, [String]) = (0, [])
    var kills = Set((0..<count).map { _ in Int.random(in: first...life.events.count, using: &random) })
    kills.formUnion(closing(life, seed))
    for kill in kills.sorted() {
      disk.take(life.events[next..<kill])
      next = kill
      try put(disk.visible, in: root + "/left")
      let journal = try SQLiteStorage(path: root + "/left/j")
      let seen = try contents(of: journal)
      journal.close()
      try put(disk.visible, in: root + "/killed")
      let later = try Life(seed: JournalWork.oneBatch, in: root + "/killed", log: root + "/log")
      let last = JournalWork.state(behind: JournalWork.steps(seed: JournalWork.oneBatch))
      // Before each of its syncs, and anywhere.
      var cuts = later.events.indices.filter { later.events[$0].what == .sync }
      for _ in 0..<3 { cuts.append(Int.random(in: 0...later.events.count, using: &random)) }
      for cut in cuts {
        var both = disk
        both.take(later.events[..<cut])
        let left = both.cut(&random)
        let told = later.told.filter { $0.at <= cut }
        let before = told.contains(where: \.isDone) ? [] : possible(life, at: kill, seed)
        let behind = told.isEmpty ? [] : [seen.merging(last) { $1 }]
        if let finding = try finding(left.files, in: root + "/left", before + behind) {
          found.append("seed \(seed), killed behind \(kill) calls, cut behind \(cut) more, \(left.how): \(finding)")
        }
      }
    }
    return found
  }

  /// Before each sync with which a journal is closed and opened again: what the process that follows sees may be gone.
  private func closing(_ life: Life, _ seed: UInt64) -> [Int] {
    let steps = JournalWork.steps(seed: seed)
    var windows = zip(life.told, life.told.dropFirst()).compactMap { begun, done -> Range<Int>? in
      guard case .reopen = steps[begun.step], begun.step == done.step else { return nil }
      return begun.at..<done.at
    }
    windows.append((life.told.last?.at ?? 0)..<life.events.count)
    return windows.flatMap { window in
      window.filter { life.events[$0].what == .sync && life.events[$0].name == "j-wal" }
    }
  }

  /// What a journal may hold behind so many calls.
  private func possible(_ life: Life, at calls: Int, _ seed: UInt64) -> [[[UInt8]: [UInt8]]] {
    let steps = JournalWork.steps(seed: seed)
    var (begun, durable) = (0, 0)
    for told in life.told where told.at <= calls {
      if !told.isDone { begun = told.step + 1 }
      if told.isDone, case .apply(_, durable: true) = steps[told.step] { durable = told.step + 1 }
    }
    return (durable...begun).map { JournalWork.state(behind: steps.prefix($0)) }
  }

  private func put(_ files: [String: [UInt8]], in folder: String) throws {
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    for (name, bytes) in files { try Data(bytes).write(to: URL(filePath: folder + "/" + name)) }
  }

  private func finding(_ files: [String: [UInt8]], in folder: String, _ possible: [[[UInt8]: [UInt8]]]) throws
    -> String?
  {
    try put(files, in: folder)
    do {
      return try lost(in: folder, possible)
    } catch let error as PluginError {
      return error.message
    }
  }

  private func lost(in folder: String, _ possible: [[[UInt8]: [UInt8]]]) throws -> String? {
    let journal = try SQLiteStorage(path: folder + "/j")
    defer { journal.close() }
    let found = try contents(of: journal)
    guard possible.contains(found) else { return "it is none of the \(possible.count) things that it may be" }
    // It goes on from there.
    try journal.apply(StorageBatch([.put(key: [101], value: [1])]), durable: true)
    journal.close()
    let again = try SQLiteStorage(path: folder + "/j")
    defer { again.close() }
    return try contents(of: again) == found.merging([[101]: [1]]) { $1 } ? nil : "opened again, it is something else"
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
    let name: String
    var offset: Int
    var bytes: ArraySlice<UInt8>

    func isWrite(of name: String) -> Bool { what == .write && self.name == name }
  }

  struct Told {
    let step: Int
    let isDone: Bool
    /// How many events came before.
    let at: Int
  }

  private(set) var events: [Event] = []
  private(set) var told: [Told] = []

  init(seed: UInt64, in folder: String, log: String) throws {
    let here = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    let library = log + ".so"
    if !FileManager.default.fileExists(atPath: library) {
      let source = here + "/Faults/disk.c"
      try Self.run(["/usr/bin/env", "cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"])
    }
    let program = URL(filePath: try #require(ChrootWorld.initPath)).deletingLastPathComponent().path
    try Self.run(
      ["\(program)/ConsensusBench", "journal", "\(seed)", folder],
      environment: ["LD_PRELOAD": library, "SYNC_DISK_FOLDER": folder, "SYNC_DISK_LOG": log])
    try parse([UInt8](try Data(contentsOf: URL(filePath: log))))
  }

  private mutating func parse(_ log: [UInt8]) throws {
    var (at, names): (Int, [String]) = (0, [])
    func integer(_ count: Int, _ place: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(log[at + place + $1]) << (8 * $1) }
    }
    while at < log.count {
      let what = try #require(Event.What(rawValue: log[at]))
      let (file, count, offset) = (integer(1, 1), integer(4, 4), integer(8, 8))
      let bytes = log[at + 16..<at + 16 + count]
      at += 16 + count
      // Names have numbers from 0 on, and some are asked for before they are opened.
      if what == .open {
        while names.count <= file { names.append("") }
        names[file] = String(decoding: bytes, as: UTF8.self)
      }
      guard names.indices.contains(file), !names[file].isEmpty else { continue }
      if names[file] != "told" {
        events.append(Event(what: what, name: names[file], offset: offset, bytes: bytes))
      } else if what == .write {
        told.append(Told(step: Int(bytes[bytes.startIndex]), isDone: bytes.last == 1, at: events.count))
      }
    }
  }

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
  private static let pageBytes = 4_096
  private static let sectorBytes = 512

  private struct File {
    /// As it was when it was last synced.
    var synced: [UInt8] = []
    var later: [Life.Event] = []
    /// Whether it has its name, as the process sees it and as the folder had it when it was last synced.
    var (isThere, isThereForCertain) = (false, false)
    /// The file that had the name when the folder was last synced, and has been taken away since.
    var old: (synced: [UInt8], later: [Life.Event])?
  }

  /// Whose syncs do nothing, once it has a content.
  let liar: String?
  private var files: [String: File] = [:]

  init(liar: String?) { self.liar = liar }

  /// What a process sees: the system has all that was written.
  var visible: [String: [UInt8]] {
    files.filter(\.value.isThere).mapValues { Self.with($0.later, on: $0.synced) }
  }

  mutating func take(_ events: ArraySlice<Life.Event>) { for event in events { take(event) } }

  private mutating func take(_ event: Life.Event) {
    if event.name == "." {
      guard event.what == .sync else { return }
      for name in files.keys {
        files[name]!.isThereForCertain = files[name]!.isThere
        files[name]!.old = nil
      }
      return
    }
    var file = files[event.name] ?? File()
    switch event.what {
    case .open: file.isThere = true
    case .unlink:
      if file.isThereForCertain, file.old == nil { file.old = (file.synced, file.later) }
      (file.synced, file.later, file.isThere) = ([], [], false)
    case .write, .truncate: file.later.append(event)
    case .sync:
      if event.name != liar || file.synced.isEmpty {
        file.synced = Self.with(file.later, on: file.synced)
        file.later = []
      }
    }
    files[event.name] = file
  }

  private static func with(_ events: some Sequence<Life.Event>, on before: [UInt8]) -> [UInt8] {
    var bytes = before
    for event in events {
      if event.what == .write {
        let end = event.offset + event.bytes.count
        if end > bytes.count { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
        bytes.replaceSubrange(event.offset..<end, with: event.bytes)
      } else if event.what == .truncate {
        if event.offset < bytes.count { bytes.removeSubrange(event.offset...) }
        bytes += [UInt8](repeating: 0, count: event.offset - bytes.count)
      }
    }
    return bytes
  }

  /// One of the things that may be left.
  func cut(_ random: inout SeededGenerator) -> (files: [String: [UInt8]], how: String) {
    var (left, how): ([String: [UInt8]], [String]) = ([:], [])
    for (name, file) in files.sorted(by: { $0.key < $1.key }) {
      var choices = [file.isThere ? (file.synced, file.later) : nil]
      if file.isThere != file.isThereForCertain || file.old != nil { choices.append(file.isThere ? nil : file.old) }
      if file.isThere, let old = file.old { choices.append(old) }
      guard let (synced, later) = choices.randomElement(using: &random)! else { continue }
      let pages = later.flatMap(Self.pages)
      let kept: [Life.Event]
      switch Int.random(in: 0..<5, using: &random) {
      case 0: kept = pages
      case 1: kept = []
      case 2: kept = Self.torn(pages.prefix(Int.random(in: 0...pages.count, using: &random)), &random)
      default: kept = Self.torn(pages.filter { _ in Bool.random(using: &random) }[...], &random)
      }
      how.append("\(name) with \(kept.count) of \(pages.count)")
      left[name] = Self.with(kept, on: synced)
    }
    return (left, how.joined(separator: ", "))
  }

  /// The system writes pages back as it likes, whatever call they came with.
  private static func pages(of event: Life.Event) -> [Life.Event] {
    guard event.what == .write else { return [event] }
    var (pieces, rest): ([Life.Event], Life.Event) = ([], event)
    while !rest.bytes.isEmpty {
      var piece = rest
      piece.bytes = rest.bytes.prefix(pageBytes - rest.offset % pageBytes)
      pieces.append(piece)
      rest.offset += piece.bytes.count
      rest.bytes = rest.bytes.dropFirst(piece.bytes.count)
    }
    return pieces
  }

  /// The last write, if it is one, as far as some sector.
  private static func torn(_ events: ArraySlice<Life.Event>, _ random: inout SeededGenerator) -> [Life.Event] {
    guard var last = events.last, last.what == .write else { return Array(events) }
    let sectors = Int.random(in: 0...(last.bytes.count + sectorBytes - 1) / sectorBytes, using: &random)
    last.bytes = last.bytes.prefix(sectors * sectorBytes)
    return events.dropLast() + [last]
  }
}
