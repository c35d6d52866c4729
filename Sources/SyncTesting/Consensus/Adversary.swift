import SyncConsensus
import SyncProof

/// One message of a faulty replica to one peer.
package struct AdversarySend {
  package var to: UInt16
  package var bytes: [UInt8]
  package init(to: UInt16, bytes: [UInt8]) { (self.to, self.bytes) = (to, bytes) }
}

/// What a faulty replica knows beside what it received: its own key, and the group.
package struct AdversaryContext {
  package let group: FixtureGroup
  package let own: UInt16
  /// The view that its own process is in.
  package let view: UInt64
  package let wallMilliseconds: UInt64

  package init(group: FixtureGroup, own: UInt16, view: UInt64, wallMilliseconds: UInt64) {
    (self.group, self.own, self.view, self.wallMilliseconds) = (group, own, view, wallMilliseconds)
  }
}

/// A way to be faulty: it stands between an honest process and the network, with that process' key.
///
/// Deterministic: what it does follows from what it was told. It may sign whatever it likes, but with its own key only.
package protocol Adversary: Sendable {
  /// What it does, in a few words: the name in reports.
  var name: String { get }

  /// Changes what the process behind it wants sent, one element for each receiver; returns what leaves.
  mutating func send(_ message: Message, as sends: [AdversarySend], by context: AdversaryContext) -> [AdversarySend]

  /// Takes what arrived, which goes on to the process behind it; returns what leaves besides.
  mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend]

  /// Time passed; returns what leaves.
  mutating func tick(by context: AdversaryContext) -> [AdversarySend]

  /// The misbehaviour of which the honest must end up with a proof, where the rules promise one.
  var provenAs: [Misbehaviour.Kind] { get }

  /// What else a proof of it may be called.
  var mayBeProvenAs: [Misbehaviour.Kind] { get }
}

extension Adversary {
  package mutating func send(
    _ message: Message, as sends: [AdversarySend], by context: AdversaryContext
  ) -> [AdversarySend] { sends }
  package mutating func receive(_ message: Message, by context: AdversaryContext) -> [AdversarySend] { [] }
  package mutating func tick(by context: AdversaryContext) -> [AdversarySend] { [] }
  package var provenAs: [Misbehaviour.Kind] { [] }
  package var mayBeProvenAs: [Misbehaviour.Kind] { [] }
}

/// What can be forged with one key.
extension AdversaryContext {
  package var index: ReplicaIndex { ReplicaIndex(rawValue: own) }
  package var key: FixtureKey { group.keys[Int(own)] }
  package var epoch: UInt64 { group.set.epoch }

  /// Everyone else, ascending.
  package var peers: [UInt16] { (0..<UInt16(group.set.count)).filter { $0 != own } }

  package func toAll(_ body: Message.Body, _ sync: SyncInfo, epoch: UInt64? = nil) -> [AdversarySend] {
    let bytes = Message(epoch: epoch ?? group.set.epoch, sync: sync, body: body).encode()
    return peers.map { AdversarySend(to: $0, bytes: bytes) }
  }

  package func vote(_ proposed: BlockInfo, on parent: BlockInfo) -> Vote {
    let statement = VoteStatement(proposed: proposed, parent: parent)
    return Vote(statement: statement, author: index, signature: key.sign(statement.signedBytes(chainID: group.chainID)))
  }

  package func timeout(_ content: UnsignedTimeout) -> Timeout {
    Timeout(
      content: content, author: index, signature: key.sign(content.statement.signedBytes(chainID: group.chainID)))
  }

  /// An empty block with its leader's vote: its outcome is its parent's, so that only the rules speak against it.
  package func proposal(
    _ view: UInt64, on qc: Certificate, _ tc: TimeoutCertificate?, timeMilliseconds: UInt64, epoch: UInt64? = nil
  ) -> Proposal {
    let block = Block(
      epoch: epoch ?? self.epoch, view: view, height: qc.proposed.height &+ 1, author: index,
      timeMilliseconds: timeMilliseconds, entries: [], parentCertificate: qc, timeoutCertificate: tc)
    return Proposal(block: block, vote: vote(outcome(of: block), on: qc.proposed))
  }

  /// Another block in the view of a proposal, as the message in the proposal's place; `nil` for what is none.
  package func second(_ message: Message) -> (view: UInt64, bytes: [UInt8])? {
    guard case .proposal(let first) = message.body else { return nil }
    let block = first.block
    let second = proposal(
      block.view, on: block.parentCertificate, block.timeoutCertificate, timeMilliseconds: block.timeMilliseconds + 1)
    return (block.view, Message(epoch: message.epoch, sync: message.sync, body: .proposal(second)).encode())
  }

  /// What an empty block leads to.
  package func outcome(of block: Block) -> BlockInfo {
    let parent = block.parentCertificate.proposed
    return BlockInfo(
      epoch: block.epoch, view: block.view, height: block.height, id: block.id, logSize: parent.logSize,
      logRoot: parent.logRoot)
  }

  /// The group's certificate of another epoch, with the same members: what a replica of that epoch holds rightly.
  package func certificate(epoch: UInt64, view: UInt64) -> Certificate {
    func info(_ view: UInt64) -> BlockInfo {
      BlockInfo(
        epoch: epoch, view: view, height: view, id: SHA256.hash([UInt8(truncatingIfNeeded: view), 0xEE]),
        logSize: view, logRoot: SHA256.hash([0xEE]))
    }
    let statement = VoteStatement(proposed: info(view), parent: info(view - 1))
    let message = statement.signedBytes(chainID: group.chainID)
    return Certificate(
      proposed: statement.proposed, parent: statement.parent, commit: statement.commit,
      shares: (0..<group.set.quorum).map {
        Certificate.Share(signer: ReplicaIndex(rawValue: UInt16($0)), signature: group.keys[$0].sign(message))
      })
  }
}
