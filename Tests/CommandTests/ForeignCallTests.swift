import CSyncNode
import SyncRuntime
import Synchronization
import Testing

@testable import NativePlugins

/// What a C plugin owes, and what one answer of it holds.
@Suite struct ForeignCallTests {
  private final class Count: Sendable {
    private let value = Atomic<Int>(0)
    func add() { value.add(1, ordering: .relaxed) }
    var now: Int { value.load(ordering: .relaxed) }
  }

  /// The node goes on without the answer; what must not overlap with the method waits for it.
  @Test func anAnswerThatWasGivenUpIsStillWaitedFor() {
    let account = ForeignAccount()
    let (ended, afterwards) = (Count(), Count())
    let call = ForeignCall("The transport frozen (send)", expected: .done, account: account) { _ in ended.add() }
    call.abandon(PluginError(.io, "It gave no answer in 60 s"))
    call.whenAnswered { afterwards.add() }
    #expect(ended.now == 1 && afterwards.now == 0 && account.abandoned == 1)
    _ = call.answer(.done)
    #expect(ended.now == 1 && afterwards.now == 1 && account.abandoned == 0)
    _ = call.answer(.done)
    #expect(afterwards.now == 1)
    call.whenAnswered { afterwards.add() }
    #expect(afterwards.now == 2)
  }

  @Test func anAnswerThatCameIsNotWaitedFor() {
    let (ended, afterwards) = (Count(), Count())
    let call = ForeignCall("The transport quick (send)", expected: .done, account: ForeignAccount()) { _ in ended.add()
    }
    _ = call.answer(.done)
    call.whenAnswered { afterwards.add() }
    #expect(ended.now == 1 && afterwards.now == 1)
  }

  /// Behind it the next scan would pass over the one that was refused.
  @Test func behindARecordThatDoesNotFitNothingIsTaken() {
    let call = ForeignCall("The storage full (scan)", expected: .done, account: ForeignAccount()) { _ in }
    let large = [UInt8](repeating: 1, count: Int(SYNC_ANSWER_BYTES_MAX) / 4 * 3)
    #expect(call.addRecord((key: [1], value: large)) == SYNC_OK)
    #expect(call.addRecord((key: [2], value: large)) == SYNC_ERROR_TOO_LARGE)
    #expect(call.addRecord((key: [3], value: [1])) == SYNC_ERROR_TOO_LARGE)
    _ = call.answer(.done)
  }
}
