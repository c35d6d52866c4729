import Logging
import SyncConsensus
import SyncLedger
import SyncProof

/// Keeping the data folder within its policy.
extension Node {
  /// Adds what a sweep must leave alone beside the needs of open jobs and running builds: asked before each sweep.
  func pin(_ provider: @escaping @Sendable () async -> DataPins) { pinned.append(provider) }

  /// Sweeps in the background, one sweep at a time.
  func sweepData() {
    guard !hasEnded, !isSweeping else { return }
    isSweeping = true
    Task {
      await sweep()
      isSweeping = false
    }
  }

  private func sweep() async {
    // What a running attempt adopts is in no record yet, but younger than its start. Asked for first: an attempt that
    // ends meanwhile has its record by then. The clock of a file system ticks more coarsely than the node's.
    let started = await runner?.oldestStartSeconds
    let seconds = min(started ?? .max, Int(Clock.now().wallMilliseconds / 1_000)) - 2
    let report = await sweeper.sweep(before: Int64(seconds) * 1_000_000_000) { await self.dataPins() }
    if report.removed > 0 {
      logger.info("Swept \(report.removed) of the data folder's entries away: \(ByteCount(report.bytes))")
    }
    guard report.full != fullRooms else { return }
    fullRooms = report.full
    for room in report.full {
      let cause = room == "artifacts" ? "open jobs need them or a proof names them" : "open jobs need them"
      logger.warning(
        "The \(room) take more than [retention] gives them, and none may go: \(cause); raise \(room) there")
    }
  }

  /// Of every open job its sources and the artifacts that this builder has got; what proofs name,
  /// where the policy keeps it; and what others asked for.
  private func dataPins() async -> DataPins {
    var pins = DataPins()
    for provider in pinned { pins.formUnion(await provider()) }
    if configuration.dataPolicy.keepsProven { pins.artifacts.formUnion(board.proven) }
    for job in replica.state.openJobs {
      guard case .open(let open) = replica.state.job(job) else { continue }
      for source in open.spec.sources { pins.sources.insert(source.tree) }
      guard let stored = try? journal.get(.attempt, job.bytes), let record = try? AttemptRecord.decode(stored) else {
        continue
      }
      for artifact in record.reveal.outcome.artifacts { pins.artifacts.insert(artifact.sha256) }
    }
    return pins
  }
}
