import SyncProof

/// The last decided block and the undecided ones that descend from it, each executed.
struct BlockTree<State: StateMachine>: Sendable {
  struct Node: Sendable {
    let block: Block
    let info: BlockInfo
    let state: State
    let standing: Standing
    let events: [State.Event]
    /// The block has entries or passes a deadline, so it must become final even in a group that is idle otherwise.
    let matters: Bool
    var isCertified = false
    /// A record of the block is durable, or part of the records that are about to be.
    var isStored = false
  }

  private(set) var root: BlockInfo
  private(set) var rootState: State
  private(set) var rootTimeMilliseconds: UInt64
  private(set) var rootStanding: Standing
  private let set: ReplicaSet
  private var nodes: [Digest: Node] = [:]

  init(
    root: BlockInfo, state: State, timeMilliseconds: UInt64, set: ReplicaSet, standing: Standing = Standing()
  ) {
    (self.root, rootState, rootTimeMilliseconds, self.set) = (root, state, timeMilliseconds, set)
    rootStanding = standing
  }

  func contains(_ id: Digest) -> Bool { id == root.id || nodes[id] != nil }
  func info(of id: Digest) -> BlockInfo? { id == root.id ? root : nodes[id]?.info }
  func state(of id: Digest) -> State? { id == root.id ? rootState : nodes[id]?.state }
  func timeMilliseconds(of id: Digest) -> UInt64? {
    id == root.id ? rootTimeMilliseconds : nodes[id]?.block.timeMilliseconds
  }
  func standing(of id: Digest) -> Standing? { id == root.id ? rootStanding : nodes[id]?.standing }
  subscript(id: Digest) -> Node? { nodes[id] }
  var count: Int { nodes.count }

  /// The certified block of the highest view: where a fetch goes on.
  var newestCertified: BlockInfo {
    nodes.values.lazy.filter { $0.isCertified }.map { $0.info }.max { $0.view < $1.view } ?? root
  }

  /// Executes a block whose parent is here, and keeps it.
  mutating func insert(_ block: Block) {
    guard !contains(block.id), let parentInfo = info(of: block.parent), var state = state(of: block.parent),
      var standing = standing(of: block.parent)
    else { return }
    // Behind the epoch's end every block is empty and leaves the state as it is, so that whichever is decided, the next
    // epoch begins with the same.
    let isOver = parentInfo.nextSetHash != nil
    if isOver, !block.entries.isEmpty { return }
    standing.follow(block, in: set)
    let deadline = isOver ? nil : state.nextDeadlineMilliseconds
    let events =
      isOver
      ? [] : state.apply(entries: block.entries, height: block.height, timeMilliseconds: block.timeMilliseconds)
    let info = BlockInfo(
      epoch: block.epoch, view: block.view, height: parentInfo.height + 1, id: block.id, logSize: state.logSize,
      logRoot: state.logRoot, nextSetHash: state.nextSetHash)
    let passesDeadline = deadline.map { $0 <= block.timeMilliseconds } ?? false
    nodes[block.id] = Node(
      block: block, info: info, state: state, standing: standing, events: events,
      matters: !block.entries.isEmpty || passesDeadline)
    nodes[block.parent]?.isCertified = true
  }

  mutating func markCertified(_ id: Digest) { nodes[id]?.isCertified = true }
  mutating func markStored(_ id: Digest) { nodes[id]?.isStored = true }

  /// The undecided blocks up to `id`, ascending; `nil` when it is not here.
  func path(to id: Digest) -> [Node]? {
    var path: [Node] = []
    var at = id
    while at != root.id {
      guard let node = nodes[at] else { return nil }
      path.append(node)
      at = node.block.parent
    }
    return path.reversed()
  }

  /// Whether one of the undecided blocks up to `id` must become final; `nil` when `id` is not here.
  func matters(upTo id: Digest) -> Bool? {
    var at = id
    while at != root.id {
      guard let index = nodes.index(forKey: at) else { return nil }
      if nodes.values[index].matters { return descends(at) ? true : nil }
      at = nodes.values[index].block.parent
    }
    return false
  }

  /// Whether the undecided blocks up to `id` are all here.
  private func descends(_ id: Digest) -> Bool {
    var at = id
    while at != root.id {
      guard let index = nodes.index(forKey: at) else { return false }
      at = nodes.values[index].block.parent
    }
    return true
  }

  /// Makes `node` the root.
  ///
  /// - Returns: Stored blocks that are undecided no more: those of the path, and those that lost.
  mutating func advance(to node: Node) -> [Digest] {
    root = node.info
    rootState = node.state
    rootTimeMilliseconds = node.block.timeMilliseconds
    rootStanding = node.standing
    nodes[root.id] = nil
    // In the healthy case nothing else is here.
    guard !nodes.isEmpty else { return node.isStored ? [root.id] : [] }
    let lost = nodes.keys.filter { !descends($0) }
    var gone = node.isStored ? [root.id] : []
    for id in lost {
      if nodes.removeValue(forKey: id)?.isStored == true { gone.append(id) }
    }
    return gone.sorted()
  }

  /// The undecided blocks with their marks, in no order.
  var marks: [(id: Digest, isCertified: Bool, isStored: Bool)] {
    nodes.map { ($0.key, $0.value.isCertified, $0.value.isStored) }
  }

  /// Lets go of the oldest blocks that nobody is known to have certified, beyond the bound.
  ///
  /// - Returns: The stored ones among them, ascending by view.
  mutating func dropUncertified(keeping countMax: Int) -> [BlockInfo] {
    guard nodes.count > countMax else { return [] }
    let leaves = nodes.values.filter { !$0.isCertified }.map { $0.info }.sorted { ($0.view, $0.id) < ($1.view, $1.id) }
    guard leaves.count > countMax else { return [] }
    var stored: [BlockInfo] = []
    for info in leaves.prefix(leaves.count - countMax) {
      if nodes.removeValue(forKey: info.id)?.isStored == true { stored.append(info) }
    }
    return stored
  }
}
