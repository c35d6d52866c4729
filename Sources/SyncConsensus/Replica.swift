import SyncProof

public struct Replica<State: StateMachine>: Sendable {
  public init(
    configuration: Configuration, genesis: State, recovered: RecoveredRecords,
    replayed: (DecidedBlock<State>) -> Void = { _ in }
  ) throws(ConsensusError) {
    nextWakeUp = nil
  }
  public mutating func step(_ input: Input, now: Instant) -> [Effect<State>] { [] }
  public private(set) var nextWakeUp: UInt64?
}
