import SyncProof

/// One builder's signatures on a tree head: as the log and as a cosigner.
struct CheckpointShare: Equatable, Sendable {
  /// Whether the sender still lacks a quorum for this size, so that an answer helps it.
  var wantsAnswer: Bool
  let treeSize: UInt64
  let root: Digest
  /// By the sender's `log` key, over the checkpoint's body.
  let logSignature: Signature
  /// Unix seconds, part of what the cosigner signs.
  let timestamp: UInt64
  /// By the sender's `cosigner` key.
  let cosignature: Signature

  func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(UInt8(wantsAnswer ? 1 : 0))
    writer.write(treeSize)
    writer.write(root)
    writer.write(logSignature)
    writer.write(timestamp)
    writer.write(cosignature)
    return writer.bytes
  }

  init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    let flag = try reader.read(UInt8.self)
    guard flag <= 1 else { throw ProofError(.malformed, "A flag of \(flag) where 0 or 1 is wanted", at: 0) }
    wantsAnswer = flag == 1
    treeSize = try reader.read(UInt64.self)
    root = try reader.readDigest()
    logSignature = try reader.readSignature()
    timestamp = try reader.read(UInt64.self)
    cosignature = try reader.readSignature()
    try reader.expectEnd()
  }

  init(
    wantsAnswer: Bool, treeSize: UInt64, root: Digest, logSignature: Signature, timestamp: UInt64,
    cosignature: Signature
  ) {
    self.wantsAnswer = wantsAnswer
    self.treeSize = treeSize
    self.root = root
    self.logSignature = logSignature
    self.timestamp = timestamp
    self.cosignature = cosignature
  }
}

/// Gathers the builders' signatures on the newest tree heads until a quorum stands behind one.
///
/// A value without I/O. It holds the last ``headsMax`` tree heads, since under load the log grows faster than
/// signatures travel, and for each builder that is ahead as many shares.
struct CheckpointAssembler {
  static let headsMax = 8

  /// What the decided blocks gave here, and who has signed exactly this.
  private struct Head {
    let checkpoint: Checkpoint
    var shares: [Text: CheckpointShare]
  }

  private let group: Group
  private let ownName: Text
  /// In ascending order of their sizes.
  private var heads: [Head] = []
  /// Shares for trees that were not reached here yet, in the order in which they came.
  private var ahead: [Text: [CheckpointShare]] = [:]
  /// The newest signed note that a quorum of cosigners stands behind.
  private(set) var published: (note: [UInt8], treeSize: UInt64)?
  /// Whether a quorum of this group stands behind it, and not one of an epoch before.
  private var isPublishedByOwn: Bool

  init(group: Group, ownName: Text, published: (note: [UInt8], treeSize: UInt64)?) {
    self.group = group
    self.ownName = ownName
    self.published = published
    isPublishedByOwn =
      published.map { published in
        do throws(ProofError) {
          _ = try Verifier.verifyCheckpoint(try SignedNote(parsing: published.note), policy: group.policy())
          return true
        } catch { return false }
      } ?? true
  }

  /// Whether the newest tree head still lacks a quorum.
  var isWaiting: Bool {
    heads.last.map { !isPublishedByOwn || $0.checkpoint.treeSize > published?.treeSize ?? 0 } ?? false
  }

  /// This builder's share of the newest tree head.
  var ownShare: CheckpointShare? { heads.last?.shares[ownName] }

  /// Begins a new tree head with this builder's own signatures.
  ///
  /// - Returns: The published note, when shares that came early already make the quorum.
  mutating func begin(_ checkpoint: Checkpoint, own: CheckpointShare) throws(ProofError) -> [UInt8]? {
    heads.append(Head(checkpoint: checkpoint, shares: [ownName: own]))
    if heads.count > CheckpointAssembler.headsMax { heads.removeFirst() }
    for member in group.members {
      guard let early = ahead[member.name] else { continue }
      for share in early where share.treeSize == checkpoint.treeSize && isValid(share, from: member, on: checkpoint) {
        heads[heads.count - 1].shares[member.name] = share
      }
      ahead[member.name] = early.filter { $0.treeSize > checkpoint.treeSize }
    }
    return try publishIfQuorum(heads.count - 1)
  }

  /// Takes a builder's share.
  ///
  /// - Returns: The published note when this share completes a quorum, or adds to the one that is published.
  mutating func add(_ share: CheckpointShare, from name: Text) throws(ProofError) -> [UInt8]? {
    guard name != ownName, let member = group.member(named: name) else { return nil }
    guard let newest = heads.last?.checkpoint.treeSize, share.treeSize <= newest else {
      var early = ahead[name, default: []].filter { $0.treeSize != share.treeSize }
      early.append(share)
      ahead[name] = early.suffix(CheckpointAssembler.headsMax)
      return nil
    }
    guard let position = heads.firstIndex(where: { $0.checkpoint.treeSize == share.treeSize }),
      heads[position].shares[name] == nil, isValid(share, from: member, on: heads[position].checkpoint)
    else { return nil }
    heads[position].shares[name] = share
    return try publishIfQuorum(position)
  }

  private func isValid(_ share: CheckpointShare, from member: GroupMember, on checkpoint: Checkpoint) -> Bool {
    guard share.treeSize == checkpoint.treeSize, share.root == checkpoint.root else { return false }
    let body = checkpoint.body()
    return member.logKey.accepts(share.logSignature, on: body)
      && member.cosignerKey.accepts(
        share.cosignature, on: Cosignature.message(timestamp: share.timestamp, body: body))
  }

  /// The note carries this builder's signature as the log and every cosignature at hand, in the order of the names.
  private mutating func publishIfQuorum(_ position: Int) throws(ProofError) -> [UInt8]? {
    let (checkpoint, shares) = (heads[position].checkpoint, heads[position].shares)
    guard shares.count >= group.quorum, checkpoint.treeSize >= published?.treeSize ?? 0, let own = shares[ownName]
    else { return nil }
    var signatures: [NoteSignature] = []
    if let member = group.member(named: ownName) {
      let key = try NoteKey(name: group.origin, kind: .ed25519, publicKey: member.logKey)
      signatures.append(NoteSignature(key: key, signature: own.logSignature))
    }
    // A note takes 100 signatures: in a group of 100, the log's own and 99 cosignatures, a quorum being 67.
    for member in group.members where signatures.count < ProofLimits.signaturesMax {
      guard let share = shares[member.name] else { continue }
      signatures.append(
        NoteSignature(
          key: try group.cosignerKey(of: member), timestamp: share.timestamp, signature: share.cosignature))
    }
    let note = try SignedNote(text: checkpoint.body(), signatures: signatures).encode()
    published = (note, checkpoint.treeSize)
    isPublishedByOwn = true
    heads.removeFirst(position)
    return note
  }
}

extension Group {
  /// The key under which a member cosigns: named `<member>.<origin>`, type 0x04.
  func cosignerKey(of member: GroupMember) throws(ProofError) -> NoteKey {
    try NoteKey(
      name: Text(utf8: member.name.utf8 + [UInt8(ascii: ".")] + origin.utf8), kind: .cosignatureV1,
      publicKey: member.cosignerKey)
  }
}
