// What a lease costs: Insert and Remove together, beside 100,000 leases that stay.
#include <memory>
#include <vector>

#include "benchmark/benchmark.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/random.h"

namespace packice {
namespace {

MemoryLeaseTable& FullTable() {
  static MemoryLeaseTable* const table = [] {
    auto* made = new MemoryLeaseTable(Clock::System());
    Lease lease;
    lease.object_id = *ObjectId::Parse("standing");
    for (uint64_t i = 0; i < 100'000; ++i) {
      lease.id = LeaseId::Random(RandomSource::System());
      lease.session = SessionId{1'000'000 + i % 50};
      made->Insert(lease).IgnoreError();
    }
    return made;
  }();
  return *table;
}

// A thread's own leases, to be inserted and removed in turn.
std::vector<Lease> Leases(Access access, SessionId session, absl::Duration ttl) {
  std::vector<Lease> leases(4096);
  for (size_t i = 0; i < leases.size(); ++i) {
    Lease& lease = leases[i];
    lease.id = LeaseId::Random(RandomSource::System());
    lease.object_id = *ObjectId::Parse("object " + lease.id.ToString());
    lease.access = access;
    lease.session = session;
    lease.ttl = ttl;
    lease.deadline = Clock::System().Now() + ttl + absl::Milliseconds(i);
  }
  return leases;
}

void InsertAndRemove(benchmark::State& state, const std::vector<Lease>& leases) {
  MemoryLeaseTable& table = FullTable();
  size_t i = 0;
  for (auto _ : state) {
    const Lease& lease = leases[i++ % leases.size()];
    table.Insert(lease).IgnoreError();
    benchmark::DoNotOptimize(table.Remove(lease.id));
  }
}

void BM_Read(benchmark::State& state) {
  InsertAndRemove(state, Leases(Access::kRead, SessionId::kNone, absl::InfiniteDuration()));
}
BENCHMARK(BM_Read)->ThreadRange(1, 2);

void BM_ReadOfSession(benchmark::State& state) {
  InsertAndRemove(state, Leases(Access::kRead, NewSessionId(), absl::InfiniteDuration()));
}
BENCHMARK(BM_ReadOfSession)->ThreadRange(1, 2);

void BM_ReadWithTtl(benchmark::State& state) {
  InsertAndRemove(state, Leases(Access::kRead, SessionId::kNone, absl::Minutes(1)));
}
BENCHMARK(BM_ReadWithTtl)->ThreadRange(1, 2);

void BM_CreateOfSession(benchmark::State& state) {
  InsertAndRemove(state, Leases(Access::kCreate, NewSessionId(), absl::InfiniteDuration()));
}
BENCHMARK(BM_CreateOfSession)->ThreadRange(1, 2);

void BM_NextDeadline(benchmark::State& state) {
  MemoryLeaseTable& table = FullTable();
  for (auto _ : state) benchmark::DoNotOptimize(table.NextDeadline());
}
BENCHMARK(BM_NextDeadline);

}  // namespace
}  // namespace packice
