import Dispatch
import HTTP
import Testing

@Suite struct MemoryBudgetTests {
  @Test func whatIsTakenIsGivenBack() {
    let budget = MemoryBudget(limit: 1 << 20)
    do {
      let reservation = MemoryReservation(budget)
      #expect(reservation.grow(by: 1000))
      #expect(reservation.resize(to: 5000))
      #expect(reservation.resize(to: 300))
      #expect(budget.used == 300 && reservation.bytes == 300)
      reservation.shrink(by: 100)
      #expect(budget.used == 200)
    }
    #expect(budget.used == 0 && budget.refusals == 0)
  }

  @Test func moreThanThereIsIsRefusedAndChangesNothing() {
    let budget = MemoryBudget(limit: 1 << 20)
    let reservation = MemoryReservation(budget)
    #expect(reservation.grow(by: 700_000))
    #expect(!reservation.grow(by: 400_000))
    #expect(!reservation.grow(by: .max))
    #expect(!reservation.resize(to: .max))
    #expect(reservation.bytes == 700_000 && budget.used == 700_000 && budget.refusals == 2)
  }

  /// Large requests may fill three quarters; small ones still find room then.
  @Test func smallRequestsComeFirst() {
    let budget = MemoryBudget(limit: 1 << 20)
    let large = MemoryReservation(budget)
    #expect(large.limit == 3 << 18)
    #expect(!large.grow(by: 3 << 18 + 1))
    #expect(large.grow(by: 3 << 18))
    let small = MemoryReservation(budget)
    #expect(small.grow(by: 100_000))
    #expect(!small.grow(by: 100_000))
    let tiny = MemoryReservation(budget)
    #expect(tiny.grow(by: 100_000))
  }

  @Test func manyThreadsLoseNothing() {
    let budget = MemoryBudget(limit: 1 << 20)
    DispatchQueue.concurrentPerform(iterations: 8) { seed in
      for round in 0..<1000 {
        let reservation = MemoryReservation(budget)
        if reservation.grow(by: (seed * 7919 + round * 104_729) % 400_000) {
          _ = reservation.resize(to: round)
        }
      }
    }
    #expect(budget.used == 0)
  }
}
