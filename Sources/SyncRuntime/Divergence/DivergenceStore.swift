import Foundation
import Glibc
import SyncProof

/// What a node keeps of divergences: artifacts in `diverged/<job>/<digest>`, reports in `reports/<job>/`.
///
/// A file appears under its name whole or not at all; `pending` beside a report says that it is not done. Thread: any.
struct DivergenceStore: Sendable {
  static let summary = "summary.json"
  static let text = "diffoscope.txt"
  static let html = "diffoscope.html"
  private static let pending = "pending"

  let diverged: FolderRetention
  let reports: FolderRetention

  init(directory: String, retention: RetentionPolicy) {
    diverged = FolderRetention(
      root: directory + "/diverged", days: retention.divergedDays, bytesMax: retention.divergedBytes)
    reports = FolderRetention(
      root: directory + "/reports", days: retention.reportDays, bytesMax: retention.reportBytes)
  }

  func sweep(keeping kept: Set<Digest>) {
    let now = Int64(Clock.now().wallMilliseconds / 1_000)
    diverged.sweep(now: now, keeping: kept)
    reports.sweep(now: now, keeping: kept)
  }

  // MARK: Artifacts

  /// Where the bytes are, or will be.
  func location(_ digest: Digest, of job: Digest) -> String { "\(diverged.root)/\(job.hex)/\(digest.hex)" }

  func path(_ digest: Digest, of job: Digest) -> String? {
    let path = location(digest, of: job)
    return access(path, R_OK) == 0 ? path : nil
  }

  /// The file that grows while one peer gives it. The peer is a member's name, which is fit for a file's.
  func partial(_ digest: Digest, of job: Digest, from peer: String) -> String {
    "\(diverged.root)/\(job.hex)/.partial-\(digest.hex)-\(peer)"
  }

  func begin(_ job: Digest) throws(PluginError) {
    try Folder.make("\(diverged.root)/\(job.hex)")
    try Folder.make("\(reports.root)/\(job.hex)")
  }

  /// Keeps an artifact of this node beyond what happens to its own place: a second name for the same file.
  func adopt(_ path: String, as digest: Digest, of job: Digest) throws(PluginError) {
    let target = location(digest, of: job)
    guard link(path, target) != 0, errno != EEXIST else { return }
    throw Folder.error("link", target)
  }

  func put(_ bytes: [UInt8], as digest: Digest, of job: Digest) throws(PluginError) {
    try begin(job)
    try Folder.write(bytes, to: location(digest, of: job))
  }

  /// Half-fetched files are of no use once the report is written.
  func removePartials(of job: Digest) {
    let folder = "\(diverged.root)/\(job.hex)"
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasPrefix(".partial-") {
      unlink("\(folder)/\(name)")
    }
  }

  // MARK: Reports

  func path(_ file: String, reportOn job: Digest) -> String? {
    let path = "\(reports.root)/\(job.hex)/\(file)"
    return access(path, R_OK) == 0 ? path : nil
  }

  func write(_ bytes: [UInt8], _ file: String, reportOn job: Digest) throws(PluginError) {
    try Folder.write(bytes, to: "\(reports.root)/\(job.hex)/\(file)")
  }

  func set(_ state: DivergenceStatus.State, of job: Digest) {
    let path = "\(reports.root)/\(job.hex)/\(DivergenceStore.pending)"
    if state == .done {
      unlink(path)
    } else {
      try? Folder.write([UInt8](state.rawValue.utf8), to: path)
    }
  }

  /// `nil` where there is no report and none is made.
  func status(of job: Digest) -> DivergenceStatus? {
    let base = "/v1/jobs/\(job.hex)/divergence"
    let hasSummary = path(DivergenceStore.summary, reportOn: job) != nil
    if let word = Folder.read("\(reports.root)/\(job.hex)/\(DivergenceStore.pending)", bytesMax: 64),
      let state = DivergenceStatus.State(rawValue: String(decoding: word, as: UTF8.self))
    {
      return DivergenceStatus(state: state, summary: nil, text: nil, html: nil)
    }
    guard hasSummary else { return nil }
    return DivergenceStatus(
      state: .done, summary: base, text: path(DivergenceStore.text, reportOn: job).map { _ in base + ".txt" },
      html: path(DivergenceStore.html, reportOn: job).map { _ in base + ".html" })
  }

  /// Jobs whose reports a stopped node left undone, sorted.
  var unfinished: [Digest] {
    ((try? FileManager.default.contentsOfDirectory(atPath: reports.root)) ?? []).sorted().compactMap { name in
      access("\(reports.root)/\(name)/\(DivergenceStore.pending)", F_OK) == 0 ? Digest(hex: name) : nil
    }
  }
}
