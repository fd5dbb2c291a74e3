// Many threads on one peer, with the real clock, its own reaper and, where it is in memory, real
// memory; an oracle beside it knows what may never be seen (stress_actor.h).
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "medium_threads.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "stress_actor.h"

namespace packice {
namespace {

constexpr int kThreads = 8;

void Stress(LocalPeer& peer) {
  StressOracle oracle;
  std::vector<std::unique_ptr<StressActor>> actors;
  for (int i = 0; i < kThreads; ++i) {
    actors.push_back(std::make_unique<StressActor>(peer, oracle, static_cast<uint64_t>(i)));
  }
  std::atomic<bool> stop{false};
  std::thread sampler([&] {
    while (!stop.load()) {
      EXPECT_LE(blocking::Stats(peer)->bytes, kStressCapacity);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (auto& actor : actors) threads.emplace_back([&actor] { actor->Run(); });
  for (std::thread& thread : threads) thread.join();
  stop.store(true);
  sampler.join();

  for (SessionId session = oracle.TakeDoomed(0); session != SessionId::kNone;
       session = oracle.TakeDoomed(0)) {
    peer.EndSession(session);
  }
  for (auto& actor : actors) peer.EndSession(actor->session());
  peer.AwaitIdle();
  // Only leases with a TTL are left, and the reaper sees to those.
  PeerStats stats;
  const absl::Time patience = absl::Now() + absl::Seconds(20);
  do {
    std::this_thread::yield();
    stats = *blocking::Stats(peer);
  } while (stats.read_leases + stats.create_leases + stats.write_leases > 0 &&
           absl::Now() < patience);
  EXPECT_EQ(stats.read_leases, 0u);
  EXPECT_EQ(stats.create_leases, 0u);
  EXPECT_EQ(stats.write_leases, 0u);
  EXPECT_EQ(stats.waiting, 0u);
  EXPECT_EQ(stats.creating, 0u);

  absl::StatusOr<ListPage> page = blocking::List(peer, {});
  ASSERT_THAT(page, IsOk());
  for (const ObjectInfo& info : page->objects) {
    EXPECT_EQ(info.leases, 0u) << info.object_id.ToQuoted();
    AcquireRequest request;
    request.access = Access::kWrite;
    request.object_id = info.object_id;
    absl::StatusOr<Grant> grant = blocking::Acquire(peer, request);
    if (!grant.ok()) {
      EXPECT_THAT(grant, HasKind(ErrorKind::kNotFound)) << "expired meanwhile, or not at all";
      continue;
    }
    EXPECT_THAT(blocking::Discard(peer, {grant->lease.id, {}, {}}), IsOk());
  }
  peer.RunDue();
  peer.AwaitIdle();
  stats = *blocking::Stats(peer);
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  for (auto& actor : actors) actor->CheckTheEnd();

  // The threads did get at each other.
  EXPECT_GT(oracle.sealed, 0u);
  EXPECT_GT(oracle.read, 0u);
  EXPECT_GT(oracle.discarded, 0u);
  EXPECT_GT(oracle.moved, 0u);
  EXPECT_GT(oracle.doomed_grants, 0u);
  EXPECT_GT(stats.evictions, 0u);
  EXPECT_GT(stats.expired_leases, 0u);
  EXPECT_GT(stats.expired_objects, 0u);
}

TEST(StressTest, AMemoryPeerKeepsTheRules) {
  LocalPeerOptions options;
  options.capacity = kStressCapacity;
  std::unique_ptr<LocalPeer> peer = MakeMemoryPeer(options);
  Stress(*peer);
}

// The same with every object closed as soon as nobody uses it.
TEST(StressTest, AMemoryPeerThatKeepsNothingOpenKeepsTheRules) {
  LocalPeerOptions options;
  options.capacity = kStressCapacity;
  options.open_at_rest = 0;
  std::unique_ptr<LocalPeer> peer = MakeMemoryPeer(options);
  Stress(*peer);
}

// The same with a memfd for each object.
TEST(StressTest, AMemoryPeerKeepsTheRulesWithoutSegments) {
  MemoryBlobStoreOptions store;
  store.segment_threshold = 0;
  LocalPeerOptions options;
  options.capacity = kStressCapacity;
  LocalPeer peer(std::make_unique<MemoryBlobStore>(store),
                 std::make_unique<MemoryLeaseTable>(*options.clock), /*policy=*/nullptr, options);
  Stress(peer);
}

// On a disk, where whatever changes takes a while, and others go on meanwhile.
void StressOnDisk(bool verify_reads) {
  FakeDisk disk;
  {
    LocalPeerOptions options;
    options.capacity = kStressCapacity;
    options.verify_reads = verify_reads;
    LocalPeer peer(disk.MakeStore(), std::make_unique<MemoryLeaseTable>(*options.clock),
                   /*policy=*/nullptr, options, disk.MakeArchive(),
                   std::make_unique<MediumThreads>("fake", 6));
    ASSERT_THAT(peer.Recover(), IsOk());
    Stress(peer);
  }
  EXPECT_EQ(disk.rows().size(), 0u);
  EXPECT_EQ(disk.files(), 0u);
}

TEST(StressTest, APeerWithAnArchiveKeepsTheRules) { StressOnDisk(/*verify_reads=*/false); }

TEST(StressTest, APeerThatVerifiesReadsKeepsTheRules) { StressOnDisk(/*verify_reads=*/true); }

}  // namespace
}  // namespace packice
