import SyncConsensus
import SyncProof

/// The adversaries that come with the package.
package enum AdversaryCatalogue {
  /// One of each.
  package static var all: [any Adversary] {
    [
      EquivocatingLeader(), SplitEquivocator(), Silent(), VoteWithholder(), ProposalWithholder(), Delayer(), Replayer(),
      CertificateForger(), ForgingLeader(), TimeoutCertificateForger(), WrongEpoch(), GarbageSender(), LockHider(),
      TimeoutCertificateLowerer(), StaleLeader(), ImpostorLeader(), FutureLeader(), RepeatingLeader(), DoubleVoter(),
      BadSigner(),
    ]
  }
}

/// Proposes two blocks in each view that it leads, and shows both to all, in a different order to each half.
package struct EquivocatingLeader: Adversary {
  package let name = "equivocating leader"
  package let provenAs: [Misbehaviour.Kind] = [.proposals]
  /// Where it led in the place of one that had failed.
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.votes]
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    guard let (_, other) = context.second(message) else { return sends }
    return sends.flatMap { send -> [AdversarySend] in
      let pair = [send, AdversarySend(to: send.to, bytes: other)]
      return send.to % 2 == 0 ? pair : pair.reversed()
    }
  }
}

/// Proposes two blocks in each view that it leads, one of them to a single replica, which nobody shows the other's
/// proposal: only the certificate of the other block tells.
package struct SplitEquivocator: Adversary {
  package let name = "split equivocator"
  package let provenAs: [Misbehaviour.Kind] = [.proposals]
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.votes]
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    guard let (view, other) = context.second(message) else { return sends }
    let alone = context.peers[Int(view / UInt64(context.group.set.count)) % context.peers.count]
    return sends.map { $0.to == alone ? AdversarySend(to: $0.to, bytes: other) : $0 }
  }
}

/// Sends nothing, as if it were down.
package struct Silent: Adversary {
  package let name = "silent"
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] { [] }
}

/// Proposes nothing; it votes, though, so that it is not passed over for long.
package struct ProposalWithholder: Adversary {
  package let name = "proposal withholder"
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    if case .proposal = message.body { [] } else { sends }
  }
}

/// Keeps its votes and timeouts to itself; it proposes, though, so that its views look alive.
package struct VoteWithholder: Adversary {
  package let name = "vote withholder"
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    switch message.body {
    case .vote, .timeout: []
    default: sends
    }
  }
}

/// Sends everything late: behind the next forty messages that it receives, or when time passes twice.
package struct Delayer: Adversary {
  package let name = "delayer"
  private var queue: [(due: Int, send: AdversarySend)] = []
  private var clock = 0
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    queue += sends.map { (clock + 40, $0) }
    return []
  }

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] { advance(by: 1) }
  package mutating func tick(by context: AdversaryContext) -> [AdversarySend] { advance(by: 20) }

  private mutating func advance(by count: Int) -> [AdversarySend] {
    clock += count
    let due = queue.prefix { $0.due <= clock }
    queue.removeFirst(due.count)
    return due.map(\.send)
  }
}

/// Sends old messages again: its own, and others' as if they were its own.
package struct Replayer: Adversary {
  package let name = "replayer"
  private var memory = AdversaryMemory()
  private var old: [[UInt8]] = []
  private var next = 0
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    keep(message)
    return sends
  }

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    keep(message)
    memory.note(message, by: context)
    return memory.mayAct(by: context) ? replay(by: context) : []
  }

  package mutating func tick(by context: AdversaryContext) -> [AdversarySend] { replay(by: context) }

  private mutating func keep(_ message: Message) {
    old.append(message.encode())
    if old.count > 60 { old.removeFirst(20) }
  }

  private mutating func replay(by context: AdversaryContext) -> [AdversarySend] {
    guard !old.isEmpty else { return [] }
    next += 7
    let bytes = old[next % old.count]
    return context.peers.map { AdversarySend(to: $0, bytes: bytes) }
  }
}

/// Shows certificates that are none: too few signers, its own signature for another's, a signer outside the set, a
/// wrong final block, consecutive-looking finality over views that are not, a changed outcome.
package struct CertificateForger: Adversary {
  package let name = "certificate forger"
  private var memory = AdversaryMemory()
  private var next = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    guard memory.mayAct(by: context), let newest = memory.certificates.last, newest.view > 0 else { return [] }
    next += 1
    let forged = forgery(next % 6, of: newest, by: context)
    let shown = next % 2 == 0
    return context.toAll(
      .status,
      SyncInfo(highQC: shown ? forged : newest, highTC: nil, finality: shown ? nil : forged))
  }

  private func forgery(_ kind: Int, of qc: Certificate, by context: AdversaryContext) -> Certificate {
    let (old, shares) = (qc.proposed, qc.shares)
    let above = BlockInfo(
      epoch: old.epoch, view: old.view + 1, height: old.height + 1, id: SHA256.hash(old.id.bytes),
      logSize: old.logSize, logRoot: old.logRoot)
    switch kind {
    case 0:
      let statement = VoteStatement(proposed: above, parent: old)
      let own = context.vote(above, on: old)
      return Certificate(
        proposed: above, parent: old, commit: statement.commit,
        shares: [Certificate.Share(signer: context.index, signature: own.signature)])
    case 1:
      let own = context.vote(above, on: old)
      return Certificate(
        proposed: above, parent: old, commit: old,
        shares: shares.map { Certificate.Share(signer: $0.signer, signature: own.signature) })
    case 2:
      let outsider = ReplicaIndex(rawValue: UInt16(context.group.set.count))
      let own = context.vote(above, on: old)
      return Certificate(
        proposed: above, parent: old, commit: old,
        shares: shares.dropLast() + [Certificate.Share(signer: outsider, signature: own.signature)])
    case 3:
      return Certificate(
        proposed: old, parent: qc.parent, commit: qc.commit == nil ? qc.parent : nil, shares: shares)
    case 4:
      let far = BlockInfo(
        epoch: old.epoch, view: old.view + 3, height: old.height + 1, id: above.id, logSize: old.logSize,
        logRoot: old.logRoot)
      return Certificate(proposed: far, parent: old, commit: old, shares: shares)
    default:
      let changed = BlockInfo(
        epoch: old.epoch, view: old.view + 1, height: old.height, id: old.id, logSize: old.logSize + 1,
        logRoot: SHA256.hash(old.logRoot.bytes))
      return Certificate(proposed: changed, parent: qc.parent, commit: nil, shares: shares)
    }
  }
}

/// Leads with a certificate under its parent that no quorum made: too few signers, or its own signature for others'.
package struct ForgingLeader: Adversary {
  package let name = "forging leader"
  package let provenAs: [Misbehaviour.Kind] = [.forgedCertificate]
  /// The process behind it may have voted in that view.
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.votes, .proposals]
  private var memory = AdversaryMemory()
  private var last: UInt64 = 0
  private var next = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    let view = memory.view
    guard let sync = memory.sync, last < view, context.group.set.turn(of: view) == context.index,
      let newest = memory.certificates.last, newest.view > 0, newest.view < view
    else { return [] }
    last = view
    next += 1
    let own = context.vote(newest.proposed, on: newest.parent)
    let shares = newest.shares.map {
      Certificate.Share(signer: $0.signer, signature: next % 3 == 0 ? $0.signature : own.signature)
    }
    let forged = Certificate(
      proposed: newest.proposed, parent: newest.parent, commit: newest.commit,
      shares: next % 3 == 0 ? Array(shares.dropLast()) : shares)
    let tc = newest.view + 1 == view ? nil : memory.tc(into: view)
    return context.toAll(
      .proposal(context.proposal(view, on: forged, tc, timeMilliseconds: context.wallMilliseconds)), sync)
  }
}

/// Shows timeout certificates that are none: a signer twice in place of a quorum, or a forged certificate inside.
package struct TimeoutCertificateForger: Adversary {
  package let name = "timeout certificate forger"
  private var memory = AdversaryMemory()
  private var next = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    guard memory.mayAct(by: context), let newest = memory.certificates.last else { return [] }
    next += 1
    if next % 2 == 0, let tc = memory.newestTC {
      let old = tc.highQC.proposed
      let bogus = BlockInfo(
        epoch: old.epoch, view: old.view, height: old.height, id: SHA256.hash(old.id.bytes), logSize: old.logSize,
        logRoot: old.logRoot)
      let qc = Certificate(
        proposed: bogus, parent: tc.highQC.parent, commit: tc.highQC.commit, shares: tc.highQC.shares)
      let forged = TimeoutCertificate(epoch: tc.epoch, view: tc.view, highQC: qc, shares: tc.shares)
      return context.toAll(.status, SyncInfo(highQC: memory.certificates[0], highTC: forged, finality: nil))
    }
    let view = memory.view
    let statement = TimeoutStatement(epoch: context.epoch, view: view, highQCView: newest.view)
    let share = TimeoutCertificate.Share(
      signer: context.index, highQCView: newest.view,
      signature: context.key.sign(statement.signedBytes(chainID: context.group.chainID)))
    let forged = TimeoutCertificate(
      epoch: context.epoch, view: view, highQC: newest,
      shares: [TimeoutCertificate.Share](repeating: share, count: context.group.set.quorum))
    return context.toAll(.status, SyncInfo(highQC: newest, highTC: forged, finality: nil))
  }
}

/// Brings another epoch's votes, and its certificates, which that epoch's quorum has really signed.
package struct WrongEpoch: Adversary {
  package let name = "wrong epoch"
  private var memory = AdversaryMemory()
  private var next: UInt64 = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    guard memory.mayAct(by: context), let sync = memory.sync else { return [] }
    next += 1
    let epoch = context.epoch + 1
    let foreign = context.certificate(epoch: epoch, view: memory.view + 3 + next % 5)
    switch next % 4 {
    case 0: return context.toAll(.status, SyncInfo(highQC: foreign, highTC: nil, finality: nil))
    case 1: return context.toAll(.status, SyncInfo(highQC: sync.highQC, highTC: nil, finality: foreign))
    case 2: return context.toAll(.status, sync, epoch: epoch)
    default:
      // Two votes of the right view, in the wrong epoch: no pair of which this epoch may accuse anyone.
      return ([0, 1] as [UInt8]).flatMap { salt -> [AdversarySend] in
        func info(_ view: UInt64, _ height: UInt64) -> BlockInfo {
          BlockInfo(
            epoch: epoch, view: view, height: height, id: SHA256.hash([salt]), logSize: 0, logRoot: .zero)
        }
        return context.toAll(.vote(context.vote(info(memory.view, 2), on: info(memory.view - 1, 1))), sync)
      }
    }
  }
}

/// Sends bytes that are no message: noise, and others' messages cut short or with a bit flipped.
package struct GarbageSender: Adversary {
  package let name = "garbage sender"
  private var memory = AdversaryMemory()
  private var random = SeededGenerator(seed: 0x6A7B)
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    guard memory.mayAct(by: context) else { return [] }
    var bytes = message.encode()
    switch random.below(3) {
    case 0: bytes = (0..<random.below(300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    case 1: bytes.removeLast(Int(random.below(UInt64(bytes.count))))
    default: bytes[Int(random.below(UInt64(bytes.count)))] ^= 1 << UInt8(random.below(8))
    }
    return context.peers.map { AdversarySend(to: $0, bytes: bytes) }
  }
}

/// Gives up a view with the oldest certificate that it knows beside the true one, to hide what was locked.
package struct LockHider: Adversary {
  package let name = "lock hider"
  package let provenAs: [Misbehaviour.Kind] = [.timeouts]
  private var memory = AdversaryMemory()
  private var last: UInt64 = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    guard let sync = memory.sync, last < memory.view, let tc = memory.tc(into: memory.view) else { return [] }
    let view = memory.view
    let usable = memory.certificates.filter { $0.view + 1 < view }
    guard let oldest = usable.first, let newest = usable.last, oldest.view < newest.view else { return [] }
    last = view
    return [oldest, newest].flatMap { qc in
      context.toAll(.timeout(context.timeout(UnsignedTimeout(view: view, highQC: qc, lastTC: tc))), sync)
    }
  }
}

/// Puts an older certificate into a genuine timeout certificate, in place of the newest that its signers had seen, and
/// leads from it.
package struct TimeoutCertificateLowerer: Adversary {
  package let name = "timeout certificate lowerer"
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.forgedCertificate, .proposals, .votes]
  private var memory = AdversaryMemory()
  private var last: UInt64 = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    guard memory.mayAct(by: context), let tc = memory.newestTC, let sync = memory.sync,
      let older = memory.certificates.last(where: { $0.view < tc.highQC.view })
    else { return [] }
    let lowered = TimeoutCertificate(epoch: tc.epoch, view: tc.view, highQC: older, shares: tc.shares)
    var sends = context.toAll(.status, SyncInfo(highQC: older, highTC: lowered, finality: nil))
    if context.group.set.turn(of: tc.view + 1) == context.index, last < tc.view {
      last = tc.view
      let proposal = context.proposal(
        tc.view + 1, on: older, lowered, timeMilliseconds: context.wallMilliseconds)
      sends += context.toAll(.proposal(proposal), sync)
    }
    return sends
  }
}

/// Leads from stale certificates, with a timeout certificate that forbids it or with none.
package struct StaleLeader: Adversary {
  package let name = "stale leader"
  /// Where it was passed over, and the process behind it votes for what another proposed in that view.
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.proposals]
  private var memory = AdversaryMemory()
  private var last: UInt64 = 0
  private var next = 0
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    if case .proposal = message.body { return [] }
    return sends
  }

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    let view = memory.view
    guard let sync = memory.sync, last < view, context.group.set.turn(of: view) == context.index else { return [] }
    last = view
    next += 1
    let stale = memory.certificates.dropLast()
    guard !stale.isEmpty else { return [] }
    let qc = next % 2 == 0 ? stale[0] : stale[stale.endIndex - 1]
    let tc = next % 3 == 0 ? nil : memory.tc(into: view)
    return context.toAll(
      .proposal(context.proposal(view, on: qc, tc, timeMilliseconds: context.wallMilliseconds)), sync)
  }
}

/// Proposes in views that another leads.
package struct ImpostorLeader: Adversary {
  package let name = "impostor leader"
  /// Its proposal's vote is a second one where the process behind it votes too.
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.votes, .proposals]
  private var memory = AdversaryMemory()
  private var last: UInt64 = 0
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    memory.note(message, by: context)
    let view = memory.view
    guard let sync = memory.sync, last < view, context.group.set.turn(of: view) != context.index else { return [] }
    last = view
    let proposal = context.proposal(
      view, on: sync.highQC, memory.tc(into: view), timeMilliseconds: context.wallMilliseconds)
    return context.toAll(.proposal(proposal), sync)
  }
}

/// Proposes blocks whose time is an hour ahead.
package struct FutureLeader: Adversary {
  package let name = "future leader"
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    guard case .proposal(let first) = message.body else { return sends }
    let block = first.block
    let ahead = context.proposal(
      block.view, on: block.parentCertificate, block.timeoutCertificate,
      timeMilliseconds: block.timeMilliseconds + 3_600_000)
    return context.toAll(.proposal(ahead), message.sync)
  }
}

/// Proposes entries that its chain holds already: the block's outcome is its parent's, as all skip them.
package struct RepeatingLeader: Adversary {
  package let name = "repeating leader"
  private var seen: [[UInt8]] = []
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    guard seen.isEmpty, case .proposal(let proposal) = message.body else { return [] }
    seen = proposal.block.entries
    return []
  }

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    guard case .proposal(let first) = message.body, !seen.isEmpty else { return sends }
    let old = first.block
    let block = Block(
      epoch: old.epoch, view: old.view, height: old.height, author: old.author, timeMilliseconds: old.timeMilliseconds,
      entries: seen, parentCertificate: old.parentCertificate, timeoutCertificate: old.timeoutCertificate)
    let vote = context.vote(context.outcome(of: block), on: block.parentCertificate.proposed)
    return context.toAll(.proposal(Proposal(block: block, vote: vote)), message.sync)
  }
}

/// Votes in each view for the proposal and for a block that does not exist.
package struct DoubleVoter: Adversary {
  package let name = "double voter"
  package let provenAs: [Misbehaviour.Kind] = [.votes]
  /// Where it was its turn, and it was passed over.
  package let mayBeProvenAs: [Misbehaviour.Kind] = [.proposals]
  package init() {}

  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] {
    guard case .proposal(let proposal) = message.body else { return [] }
    let (genuine, parent) = (proposal.vote.statement.proposed, proposal.vote.statement.parent)
    let made = BlockInfo(
      epoch: genuine.epoch, view: genuine.view, height: genuine.height, id: SHA256.hash(genuine.id.bytes),
      logSize: genuine.logSize, logRoot: genuine.logRoot)
    return [made, genuine].flatMap { context.toAll(.vote(context.vote($0, on: parent)), message.sync) }
  }
}

/// Signs nothing properly: its votes and timeouts carry signatures that do not verify.
package struct BadSigner: Adversary {
  package let name = "bad signer"
  package init() {}

  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] {
    let wrong = context.key.sign([0])
    switch message.body {
    case .vote(let vote):
      return context.toAll(
        .vote(Vote(statement: vote.statement, author: vote.author, signature: wrong)), message.sync)
    case .timeout(let timeout):
      return context.toAll(
        .timeout(Timeout(content: timeout.content, author: timeout.author, signature: wrong)), message.sync)
    default: return sends
    }
  }
}
