import SyncProof

/// Blocks that this replica has voted for, of views above its highest certificate, for which memory has no place: their
/// records stay, and their views are known here.
///
/// A quorum may have certified one of them without anybody honest knowing, and the certificate may show itself when it
/// is the highest. Who voted has the block then: had they all let go of it, no honest replica could propose again. Each
/// view has one such block of at most ``ConsensusLimits/blockBytesMax``, and the next certificate frees them.
extension Replica {
  /// Lets go of the oldest blocks without a known certificate that memory has no place for.
  mutating func shelve() {
    for info in tree.dropUncertified(keeping: ConsensusLimits.uncertifiedBlocksMax) {
      if info.view > highQC.view { shelf[info.id] = info.view } else { deleteBlock(info.id) }
    }
  }

  /// Frees what lies below the highest certificate: whoever adopted a lower one is shown this one.
  mutating func clearShelf() {
    guard !shelf.isEmpty else { return }
    for id in shelf.filter({ $0.value <= highQC.view && $0.key != highQC.proposed.id }).keys.sorted() {
      shelf[id] = nil
      deleteBlock(id)
    }
  }

  /// Has the record of a block read, where the block lies there.
  ///
  /// - Parameter fetch: What the block is for: a peer's question, or, without one, this replica's own certificate.
  /// - Returns: Whether it lies there.
  mutating func loadFromShelf(_ id: Digest, for peer: ReplicaIndex, _ fetch: FetchRequest? = nil) -> Bool {
    guard shelf[id] != nil else { return false }
    if loading.insert(peer).inserted { outbox.free.append(.load(LoadRequest(block: id, peer: peer, fetch: fetch))) }
    return true
  }

  /// Takes a block back whose record was read, and answers who has asked.
  mutating func takeFromShelf(_ id: Digest, _ records: [StoredRecord], for request: LoadRequest) {
    if shelf[id] != nil {
      let value = records.first { $0.key == RecordKey.block(id) }?.value
      guard let value, let block = try? Block(decoding: value), block.id == id, tree.contains(block.parent) else {
        shelf[id] = nil
        return deleteBlock(id)
      }
      insert(block)
      if highQC.proposed.id == id { process(highQC) }
    }
    if let fetch = request.fetch { serve(fetch, to: request.peer) }
  }

  /// Executes a block whose parent is here; it lies on the shelf no more, wherever it has come from.
  mutating func insert(_ block: Block) {
    tree.insert(block)
    if tree.contains(block.id), shelf.removeValue(forKey: block.id) != nil { tree.markStored(block.id) }
  }

  mutating func deleteBlock(_ id: Digest) {
    outbox.lazyRecords.append(StoredRecord(key: RecordKey.block(id), value: nil))
  }
}
