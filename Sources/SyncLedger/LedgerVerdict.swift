import SyncProof

extension Ledger {
  /// Counts what the builders gave and writes it down.
  func evidence(of job: OpenJob, _ block: Block) -> Evidence {
    let reports = zip(group.members, job.answers).map { member, answer -> BuilderReport in
      switch answer {
      case .waiting: .absent(name: member.name, .noCommitment)
      case .abstained: .absent(name: member.name, .sandboxFault)
      case .committed: .absent(name: member.name, .noReveal)
      case .wrongOpening: .absent(name: member.name, .wrongOpening)
      case .revealed(let reveal, let signature): .revealed(reveal, signature)
      }
    }
    do throws(ProofError) {
      return try Evidence(
        group: group.origin, epoch: group.epoch, height: block.height, timeMilliseconds: block.timeMilliseconds,
        submitter: submitter(of: job), reproducers: group.reproducers, spec: job.spec, reports: reports)
    } catch {
      // The spec was validated when it was ordered, and every reveal was held against it.
      preconditionFailure("Evidence about an ordered spec fits a leaf: \(error.message)")
    }
  }
}
