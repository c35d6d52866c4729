import Foundation
import SyncTesting
import Testing

@Suite struct ExhaustiveSearchTests {
  /// What is searched, to the last state; `long` only with `SYNC_SEARCH=long` in the environment.
  struct Row: CustomStringConvertible, Sendable {
    let description: String
    var bounds = ExhaustiveSearch.Bounds()

    init(_ description: String, views: UInt64, timers: Int = 0, crashes: Int = 0, twin: Int? = nil) {
      self.description = description
      (bounds.viewMax, bounds.timers, bounds.crashes, bounds.twin) = (views, timers, crashes, twin)
    }

    static let short = [
      Row("two views, one timer", views: 2, timers: 1),
      Row("two views, one crash", views: 2, crashes: 1),
      Row("two views, two timers", views: 2, timers: 2),
      Row("one view, its leader twice", views: 1, twin: 1),
      Row("two views, the first one's leader twice", views: 2, twin: 1),
      Row("three views, one crash", views: 3, crashes: 1),
      Row("three views, one timer, one crash", views: 3, timers: 1, crashes: 1),
      Row("three views, the second one's leader twice", views: 3, twin: 2),
    ]
    static let long = [
      Row("three views, two timers", views: 3, timers: 2),
      Row("three views, three timers", views: 3, timers: 3),
      Row("three views, the first one's leader twice", views: 3, twin: 1),
    ]
    static let all = ProcessInfo.processInfo.environment["SYNC_SEARCH"] == "long" ? short + long : short
  }

  @Test(arguments: Row.all) func noStateBreaksAPromise(row: Row) throws {
    var search = try ExhaustiveSearch(row.bounds)
    let start = ContinuousClock.now
    let result = try search.run()
    let seconds = (ContinuousClock.now - start).components.seconds
    print("\(row): \(result.states) states, \(result.steps) steps, depth \(result.depth), \(seconds) s")
    #expect(result.failure == nil)
    #expect(result.isExhausted)
    // The certificate of the view after it makes a block final.
    #expect(result.heightMax >= (row.bounds.viewMax > 1 ? 1 : 0))
  }

  /// A replica that forgets what it has signed votes twice: the search must find that.
  @Test func aLostRecordIsFound() throws {
    var bounds = Row("", views: 1, crashes: 1, twin: 1).bounds
    bounds.losesRecords = true
    var search = try ExhaustiveSearch(bounds)
    let failure = try #require(try search.run().failure)
    #expect(failure.contains("signed two votes in view 1"))
  }
}
