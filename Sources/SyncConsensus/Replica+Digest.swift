import SyncProof

extension Replica {
  /// Names everything in this replica that its later steps depend on, so that a search over steps recognises a state.
  ///
  /// Times count from the instant of the last step. Left out is what changes no signature, no decision and no message
  /// but status messages: what the verifier remembers, when peers were helped, kept proofs of misbehaviour, and the
  /// copies of decided blocks, which the head determines. Of certificates only what they say counts, not whose
  /// signatures they hold, since the rules count signers and do not look at who they are; but for those whom the chain
  /// passes over, and whom the highest certificate brings back.
  /// - Parameter name: Stands for a block's identity; may give two blocks one name where signers alone make them two.
  package func stateDigest(name: (Digest) -> Digest) -> Digest {
    var writer = ByteWriter()
    writer.write(head.height)
    writer.write(name(head.id))
    writer.write(currentView)
    writer.write(safety.state.shape(name))
    writer.write(SyncInfo(highQC: highQC, highTC: highTC, finality: finality).shape(name))
    if let pendingCommit { writer.write(name(pendingCommit.proposed.id)) }
    for (view, held) in votes.sorted(by: { $0.key < $1.key }) {
      writer.write(view)
      for (author, vote) in held.sorted(by: { $0.key < $1.key }) {
        writer.write(author)
        writer.write(name(vote.statement.proposed.id))
      }
    }
    writer.write(UInt64.max)
    for (view, held) in timeouts.sorted(by: { $0.key < $1.key }) {
      writer.write(view)
      for (author, timeout) in held.sorted(by: { $0.key < $1.key }) {
        writer.write(author)
        writer.write(timeout.content.shape(name))
      }
    }
    writer.write(UInt64.max)
    for view in proposals.keys.sorted() {
      writer.write(view)
      for proposal in proposals[view] ?? [] { writer.write(name(proposal.block.id)) }
    }
    writer.write(UInt64.max)
    writer.write((ownVote?.statement.proposed.id).map(name) ?? .zero)
    writer.write(ownTimeout?.content.shape(name) ?? .zero)
    for mark in tree.marks.map({ mark in
      SHA256.hash(
        name(mark.id).bytes + [mark.isCertified ? 1 : 0, mark.isStored ? 1 : 0] + failed(on: mark.id).bytes)
    }).sorted() { writer.write(mark) }
    for id in shelf.keys.map(name).sorted() { writer.write(id) }
    writer.write(failed(on: head.id))
    // While its block is missing, any of its signers may turn out to be one that it brings back.
    let absent = tree.standing(of: highQC.proposed.id)?.failed
    for share in highQC.shares where absent?.contains(share.signer) ?? true { writer.write(share.signer) }
    writer.write(UInt64(pool.count))
    pool.encodeShape(to: &writer)
    writer.write(remaining(until: viewDeadline))
    writer.write(resends)
    writer.write(timeoutBaseNanoseconds)
    // Decided blocks that are not on the disk yet, and with them what a restart forgets.
    writer.write(UInt64(outbox.lazyRecords.count))
    if let observation {
      writer.write(observation.floor ?? .max)
      for peer in observation.answered.sorted() { writer.write(peer) }
    }
    if let fetch {
      writer.write(name(fetch.target.proposed.id))
      writer.write(UInt64(fetch.next % max(fetch.peers.count, 1)))
      writer.write(UInt64(fetch.failures))
      writer.write(remaining(until: fetch.deadline))
      for peer in fetch.asked.sorted() + fetch.peers { writer.write(peer) }
    }
    return SHA256.hash(writer.bytes)
  }

  /// The replicas that have failed behind this block.
  private func failed(on id: Digest) -> Digest {
    var writer = ByteWriter()
    for index in tree.standing(of: id)?.failed ?? [] { writer.write(index) }
    return SHA256.hash(writer.bytes)
  }

  /// Nanoseconds from now; 0 for a time that has come, the highest number for none.
  private func remaining(until deadline: UInt64?) -> UInt64 {
    guard let deadline else { return .max }
    return deadline > now.monotonicNanoseconds ? deadline - now.monotonicNanoseconds : 0
  }
}

// What each says, whoever signed it; blocks by the names that the caller gives them.

extension SafetyState {
  fileprivate func shape(_ name: (Digest) -> Digest) -> Digest {
    var writer = ByteWriter()
    writer.write(lastVotedView)
    writer.write(oneChainView)
    writer.write((lastVote?.proposed.id).map(name) ?? .zero)
    writer.write(lastTimeout?.shape(name) ?? .zero)
    return SHA256.hash(writer.bytes)
  }
}

extension UnsignedTimeout {
  package func shape(_ name: (Digest) -> Digest) -> Digest {
    var writer = ByteWriter()
    writer.write(view)
    writer.write(name(highQC.proposed.id))
    writer.write(lastTC?.shape(name) ?? .zero)
    return SHA256.hash(writer.bytes)
  }
}

extension TimeoutCertificate {
  package func shape(_ name: (Digest) -> Digest) -> Digest {
    var writer = ByteWriter()
    writer.write(view)
    writer.write(name(highQC.proposed.id))
    return SHA256.hash(writer.bytes)
  }
}

extension SyncInfo {
  package func shape(_ name: (Digest) -> Digest) -> Digest {
    var writer = ByteWriter()
    writer.write(name(highQC.proposed.id))
    writer.write(highTC?.shape(name) ?? .zero)
    writer.write((finality?.proposed.id).map(name) ?? .zero)
    return SHA256.hash(writer.bytes)
  }
}
