import SyncProof

/// Why a replica signs nothing for a time, and when it signs again; ``Effect/observation(_:)``.
public enum ObservationChange: Hashable, Sendable {
  public enum Reason: Hashable, Sendable {
    /// ``Configuration/isRestored`` says so, or an earlier life was told and had not come to the end of it.
    case restored
    /// A certificate holds this replica's signature of a view of which its records know nothing: they are an older
    /// copy, or another process signs with the same key.
    case unknownSignature(view: UInt64)
  }

  case began(Reason)
  /// What was ordered up to this height may have been answered by the life that is forgotten.
  case ended(height: UInt64)
}

/// A replica whose records may be older than what it has signed. It follows the group and signs nothing until it knows
/// more than it can have forgotten.
struct Observation: Sendable {
  let reason: ObservationChange.Reason
  /// Whether the record of it was handed out to be stored.
  var isTold = false
  var answered: Set<ReplicaIndex> = []
  /// The highest view that the others were in; in none above the next was ever signed. `nil` until enough answered.
  var floor: UInt64?
  /// Monotonic nanoseconds after which whoever is silent is asked again.
  var askAgain: UInt64 = 0

  init(_ reason: ObservationChange.Reason) { self.reason = reason }
}

/// Coming back without one's memory: docs/consensus-protocol.md, "A replica that has forgotten".
extension Replica {
  /// Whether it signs nothing, since its records may be older than its signatures.
  public var isObserving: Bool { observation != nil }

  /// The highest view that the others were in, known to an observer once enough have answered.
  package var observationFloor: UInt64? { observation?.floor }

  /// Answers that bound what was forgotten: whatever view was signed in, a quorum had ended the one before, of which at
  /// least `quorum − 1 − f` are honest others; among so many answers is one of theirs.
  private var answersWanted: Int { 2 * replicas.faultyMax + 1 }

  mutating func beginObservation(_ reason: ObservationChange.Reason) {
    guard observation == nil else { return }
    guard replicas.faultyMax > 0 else {
      return halt(
        .configuration,
        "A group of \(replicas.count) does not go on without the signatures of all, so that none can come back with"
          + " older records: start a new group")
    }
    observation = Observation(reason)
    safety.isSilent = true
    (ownVote, ownTimeout) = (nil, nil)
    outbox.durable.removeAll { effect in
      if case .sign = effect { true } else { false }
    }
  }

  /// Looks for an own signature that the records do not know.
  mutating func noticeOwnSignature(in certificate: Certificate) {
    let (view, state) = (certificate.view, safety.state)
    guard view >= state.lastVotedView, certificate.shares.contains(where: { $0.signer == own }) else { return }
    var isUnknown = view > state.lastVotedView
    if !isUnknown {
      if let vote = state.lastVote, vote.proposed.view == view {
        isUnknown = vote != VoteStatement(proposed: certificate.proposed, parent: certificate.parent)
      } else {
        isUnknown = state.lastTimeout?.view == view
      }
    }
    if isUnknown { noticeForgotten(view) }
  }

  /// The same in the other kind of certificate.
  mutating func noticeOwnSignature(in certificate: TimeoutCertificate) {
    let (view, state) = (certificate.view, safety.state)
    guard view >= state.lastVotedView, let share = certificate.shares.first(where: { $0.signer == own }) else { return }
    let isOther = state.lastTimeout.map { $0.view == view && $0.highQC.view != share.highQCView } ?? false
    if view > state.lastVotedView || isOther { noticeForgotten(view) }
  }

  private mutating func noticeForgotten(_ view: UInt64) {
    guard configuration.noticesUnknownSignatures else { return }
    // No life that has ended can have signed so late: whoever did, does it now.
    let isSignedNow = observation.map { $0.floor.map { view > $0 && view - $0 > 1 } ?? false } ?? hasObserved
    if isSignedNow {
      return halt(.sharedKey, "Another process signs with this replica's key, in view \(view): stop it")
    }
    beginObservation(.unknownSignature(view: view))
  }

  /// Asks the others for the views that they are in.
  mutating func ask(_ peer: ReplicaIndex) {
    guard let observation, observation.floor == nil, !observation.answered.contains(peer) else { return }
    send(.ask(configuration.startNumber), to: peer)
  }

  /// Whoever has forgotten has nothing to say: its own view proves nothing.
  mutating func answer(_ number: UInt64, to peer: ReplicaIndex) {
    if observation == nil { send(.answer(number), to: peer) }
  }

  /// The message's certificates are processed already, so that the own view is at least the peer's.
  mutating func hear(_ number: UInt64, from peer: ReplicaIndex) {
    guard var current = observation, number == configuration.startNumber, current.floor == nil else { return }
    current.answered.insert(peer)
    if current.answered.count >= answersWanted { current.floor = currentView }
    observation = current
  }

  mutating func observe() {
    guard var current = observation else { return }
    if !current.isTold {
      current.isTold = true
      outbox.records.append(ObservationRecord.observing.stored)
      outbox.durable.append(.observation(.began(current.reason)))
    }
    let asks = current.floor == nil && current.askAgain <= now.monotonicNanoseconds
    if asks { current.askAgain = now.monotonicNanoseconds &+ 4 &* timeoutBaseNanoseconds }
    observation = current
    if asks {
      for peer in replicas.indices where peer != own { ask(peer) }
    }
    endObservation()
  }

  /// A certificate of a view above the floor leads into one that was never signed in, and is newer than any that the
  /// forgotten life had seen beneath its votes; its block stands on all that was decided for it.
  private mutating func endObservation() {
    guard let floor = observation?.floor, highQC.view > floor, let tip = tree.info(of: highQC.proposed.id) else {
      return
    }
    safety.resume(after: highQC.view)
    hasObserved = true
    observation = nil
    observedHeight = tip.height
    outbox.records += [safety.record, ObservationRecord.ended(height: tip.height).stored]
    outbox.durable.append(.observation(.ended(height: tip.height)))
  }
}

/// The durable form: whether nothing may be signed, or up to which height that was so.
enum ObservationRecord: Hashable, Sendable, CanonicallyCodable {
  case observing
  case ended(height: UInt64)

  var stored: StoredRecord { StoredRecord(key: RecordKey.observation, value: encode()) }

  func encode(to writer: inout ByteWriter) {
    switch self {
    case .observing: writer.write(UInt8(0))
    case .ended(let height):
      writer.write(UInt8(1))
      writer.write(height)
    }
  }

  init(from reader: inout ByteReader) throws(ProofError) {
    self = try reader.readFlag() ? .ended(height: try reader.read()) : .observing
  }
}
