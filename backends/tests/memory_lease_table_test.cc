#include "packice/backends/memory_lease_table.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/random.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/lease_table_conformance.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Memory, LeaseTableConformance,
    testing::Values(LeaseTableParam::OverFakeClock(
        "Memory", [](Clock& clock) { return std::make_unique<MemoryLeaseTable>(clock); })),
    LeaseTableParam::NameOf);

class MemoryLeaseTableTest : public testing::Test {
 protected:
  static Lease NewLease(Access access, absl::string_view object_id) {
    Lease lease;
    lease.id = LeaseId::Random(RandomSource::System());
    lease.object_id = *ObjectId::Parse(object_id);
    lease.access = access;
    return lease;
  }

  Lease WithTtl(Lease lease, absl::Duration ttl) const {
    lease.ttl = ttl;
    lease.deadline = clock_.Now() + ttl;
    return lease;
  }

  FakeClock clock_;
  MemoryLeaseTable table_{clock_};
};

TEST_F(MemoryLeaseTableTest, RefusesAnIdThatItHas) {
  const Lease lease = NewLease(Access::kRead, "a");
  ASSERT_THAT(table_.Insert(lease), IsOk());
  EXPECT_THAT(table_.Insert(lease), HasKind(ErrorKind::kInvalidArgument));
  Lease exclusive = NewLease(Access::kCreate, "b");
  exclusive.id = lease.id;
  EXPECT_THAT(table_.Insert(exclusive), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(table_.Insert(NewLease(Access::kCreate, "b")), IsOk())
      << "the refused lease claims nothing";
  EXPECT_EQ(table_.Counts().read, 1u);
}

TEST_F(MemoryLeaseTableTest, NextDeadlineIsNeverBeforeTheDeadline) {
  Lease lease = NewLease(Access::kRead, "a");
  lease.ttl = absl::Seconds(1);
  lease.deadline = clock_.Now() + lease.ttl + absl::Nanoseconds(1) / 4;
  ASSERT_THAT(table_.Insert(lease), IsOk());
  EXPECT_GE(table_.NextDeadline(), lease.deadline);
  clock_.Advance(table_.NextDeadline() - clock_.Now());
  EXPECT_EQ(table_.RemoveExpired(clock_.Now(), 10).size(), 1u)
      << "a timer set to it finds the lease over";
}

TEST_F(MemoryLeaseTableTest, DeadlinesBeyondNanosecondsAreNever) {
  const Lease lease = WithTtl(NewLease(Access::kRead, "a"), absl::Hours(24 * 366) * 1000);
  ASSERT_THAT(table_.Insert(lease), IsOk());
  EXPECT_EQ(table_.NextDeadline(), absl::InfiniteDuration());
  EXPECT_THAT(table_.Find(lease.id), IsOk());
  EXPECT_EQ(table_.RemoveExpired(lease.deadline, 10).size(), 1u);
}

TEST_F(MemoryLeaseTableTest, ASessionOfThousandsOfLeasesEndsWhole) {
  std::vector<LeaseId> others;
  for (int i = 0; i < 10'000; ++i) {
    Lease lease = NewLease(Access::kRead, "a");
    lease.session = SessionId{1u + static_cast<uint64_t>(i % 2)};
    ASSERT_THAT(table_.Insert(lease), IsOk());
    if (i % 2 == 1) others.push_back(lease.id);
  }
  EXPECT_EQ(table_.RemoveSession(SessionId{1}).size(), 5'000u);
  for (const LeaseId& id : others) ASSERT_THAT(table_.Find(id), IsOk());
  EXPECT_EQ(table_.Counts().read, 5'000u);
  EXPECT_THAT(table_.RemoveSession(SessionId::kNone), testing::IsEmpty());
}

TEST_F(MemoryLeaseTableTest, SharingAndRemovingRacesWithNewClaims) {
  // Whoever is granted the object holds it alone until it shares or removes its lease.
  std::atomic<int> holders{0};
  std::atomic<int> grants{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2'000; ++i) {
        const Lease lease = NewLease(t % 2 == 0 ? Access::kCreate : Access::kWrite, "a");
        if (!table_.Insert(lease).ok()) continue;
        EXPECT_EQ(holders.fetch_add(1), 0);
        grants.fetch_add(1);
        holders.fetch_sub(1);
        if (i % 2 == 0) {
          EXPECT_THAT(table_.Share(lease.id), IsOk());
        }
        EXPECT_TRUE(table_.Remove(lease.id));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(grants.load(), 0);
  EXPECT_THAT(table_.Insert(NewLease(Access::kCreate, "a")), IsOk());
}

}  // namespace
}  // namespace packice
