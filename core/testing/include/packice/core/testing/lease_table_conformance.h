// What every LeaseTable must do. A table's test file includes this and instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, LeaseTableConformance,
//                            testing::Values(LeaseTableParam::OverFakeClock("Memory", make)),
//                            LeaseTableParam::NameOf);
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/core/testing/lease_table_fixture.h"
#include "packice/core/testing/lease_table_model_conformance.h"  // IWYU pragma: export

namespace packice {

// --- Insert and Find.

TEST_P(LeaseTableConformance, FindsALeaseAsItWasInserted) {
  Lease lease = NewLease(Access::kRead, std::string("odd\0\xff\n id", 9), absl::Seconds(90));
  lease.incarnation = 1234567890123;
  ASSERT_THAT(table().Insert(lease), IsOk());
  const Lease plain = Insert(Access::kCreate, "a", SessionId{42});

  ASSERT_OK_AND_ASSIGN(Lease found, table().Find(lease.id));
  EXPECT_EQ(found.id, lease.id);
  EXPECT_EQ(found.object_id, lease.object_id);
  EXPECT_EQ(found.incarnation, 1234567890123u);
  EXPECT_EQ(found.access, Access::kRead);
  EXPECT_EQ(found.session, SessionId::kNone);
  EXPECT_EQ(found.ttl, absl::Seconds(90));
  EXPECT_EQ(found.deadline, lease.deadline);

  ASSERT_OK_AND_ASSIGN(found, table().Find(plain.id));
  EXPECT_EQ(found.access, Access::kCreate);
  EXPECT_EQ(found.session, SessionId{42});
  EXPECT_EQ(found.ttl, absl::InfiniteDuration());
  EXPECT_EQ(found.deadline, absl::InfiniteDuration());
}

TEST_P(LeaseTableConformance, AnUnknownLeaseIsExpired) {
  const LeaseId unknown = LeaseId::Random(random_);
  EXPECT_THAT(table().Find(unknown), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(table().Share(unknown), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(table().Extend(unknown, absl::Seconds(1), Now() + absl::Seconds(1)),
              HasKind(ErrorKind::kLeaseExpired));
  EXPECT_EQ(table().Remove(unknown), absl::nullopt);
}

TEST_P(LeaseTableConformance, ExclusiveLeasesExcludeEachOther) {
  for (Access first : {Access::kCreate, Access::kWrite}) {
    for (Access second : {Access::kCreate, Access::kWrite}) {
      SCOPED_TRACE(absl::StrCat(AccessName(first), " then ", AccessName(second)));
      const Lease holder = Insert(first, "a");
      const Lease refused = NewLease(second, "a");
      EXPECT_THAT(table().Insert(refused), HasKind(ErrorKind::kBusy));
      EXPECT_THAT(table().Find(refused.id), HasKind(ErrorKind::kLeaseExpired));
      EXPECT_THAT(table().Find(holder.id), IsOk());
      ASSERT_TRUE(table().Remove(holder.id));
      EXPECT_THAT(table().Insert(refused), IsOk());
      ASSERT_TRUE(table().Remove(refused.id));
    }
  }
}

TEST_P(LeaseTableConformance, LeasesOnDifferentObjectsDoNotMeet) {
  Insert(Access::kCreate, "a");
  EXPECT_THAT(table().Insert(NewLease(Access::kCreate, "b")), IsOk());
  EXPECT_THAT(table().Insert(NewLease(Access::kWrite, "c")), IsOk());
}

TEST_P(LeaseTableConformance, ReadLeasesExcludeNobody) {
  Insert(Access::kRead, "a");
  Insert(Access::kRead, "a");
  Insert(Access::kWrite, "a");
  EXPECT_THAT(table().Insert(NewLease(Access::kRead, "a")), IsOk());
}

TEST_P(LeaseTableConformance, AnExclusiveLeaseExcludesOtherIncarnationsToo) {
  Insert(Access::kCreate, "a");
  Lease other = NewLease(Access::kCreate, "a");
  other.incarnation = 8;
  EXPECT_THAT(table().Insert(other), HasKind(ErrorKind::kBusy));
}

// --- Share.

TEST_P(LeaseTableConformance, ShareEndsTheExclusivityOfACreateLease) {
  const Lease creator = Insert(Access::kCreate, "a");
  ASSERT_THAT(table().Share(creator.id), IsOk());
  ASSERT_OK_AND_ASSIGN(Lease found, table().Find(creator.id));
  EXPECT_EQ(found.access, Access::kCreate) << "it still is what it was granted as";
  const Lease writer = Insert(Access::kWrite, "a");
  EXPECT_THAT(table().Insert(NewLease(Access::kCreate, "a")), HasKind(ErrorKind::kBusy));
  // The shared lease that goes takes nobody's exclusivity along.
  ASSERT_TRUE(table().Remove(creator.id));
  EXPECT_THAT(table().Insert(NewLease(Access::kCreate, "a")), HasKind(ErrorKind::kBusy));
  ASSERT_TRUE(table().Remove(writer.id));
  EXPECT_THAT(table().Insert(NewLease(Access::kCreate, "a")), IsOk());
}

// --- Deadlines.

TEST_P(LeaseTableConformance, ALeasePastItsDeadlineIsNeverFound) {
  const Lease lease = Insert(Access::kCreate, "a", absl::Seconds(10));
  Advance(absl::Seconds(9));
  EXPECT_THAT(table().Find(lease.id), IsOk());
  Advance(absl::Seconds(2));
  EXPECT_THAT(table().Find(lease.id), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(table().Share(lease.id), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(table().Extend(lease.id, absl::Seconds(10), Now() + absl::Seconds(10)),
              HasKind(ErrorKind::kLeaseExpired))
      << "a lease that is over does not come back";
  EXPECT_THAT(table().Find(lease.id), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(LeaseTableConformance, ALeaseIsOverAtItsDeadline) {
  const Lease lease = Insert(Access::kRead, "a", absl::Seconds(10));
  Advance(absl::Seconds(10));
  EXPECT_THAT(table().Find(lease.id), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(IdsOf(table().RemoveExpired(Now(), 10)), testing::ElementsAre(lease.id));
}

TEST_P(LeaseTableConformance, AnExpiredExclusiveLeaseExcludesNobody) {
  const Lease expired = Insert(Access::kCreate, "a", absl::Seconds(10));
  Advance(absl::Seconds(11));
  const Lease next = Insert(Access::kCreate, "a");
  // Reaping the old one later does not free what the new one holds.
  EXPECT_THAT(IdsOf(table().RemoveExpired(Now(), 10)), testing::ElementsAre(expired.id));
  EXPECT_THAT(table().Find(next.id), IsOk());
  EXPECT_THAT(table().Insert(NewLease(Access::kCreate, "a")), HasKind(ErrorKind::kBusy));
}

TEST_P(LeaseTableConformance, ExtendSetsTtlAndDeadline) {
  const Lease lease = Insert(Access::kRead, "a", absl::Seconds(10));
  Advance(absl::Seconds(9));
  const Instant deadline = Now() + absl::Seconds(20);
  ASSERT_THAT(table().Extend(lease.id, absl::Seconds(20), deadline), IsOk());
  EXPECT_EQ(table().NextDeadline(), deadline);
  Advance(absl::Seconds(19));
  EXPECT_THAT(IdsOf(table().RemoveExpired(Now(), 10)), testing::IsEmpty());
  ASSERT_OK_AND_ASSIGN(Lease found, table().Find(lease.id));
  EXPECT_EQ(found.ttl, absl::Seconds(20));
  EXPECT_EQ(found.deadline, deadline);
  Advance(absl::Seconds(2));
  EXPECT_THAT(table().Find(lease.id), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(LeaseTableConformance, ExtendMayShorten) {
  const Lease lease = Insert(Access::kRead, "a", absl::Seconds(100));
  ASSERT_THAT(table().Extend(lease.id, absl::Seconds(5), Now() + absl::Seconds(5)), IsOk());
  Advance(absl::Seconds(6));
  EXPECT_THAT(IdsOf(table().RemoveExpired(Now(), 10)), testing::ElementsAre(lease.id));
}

TEST_P(LeaseTableConformance, AnExtendedLeaseBelongsToNoSession) {
  const Lease lease = Insert(Access::kRead, "a", SessionId{1});
  ASSERT_THAT(table().Extend(lease.id, absl::Seconds(5), Now() + absl::Seconds(5)), IsOk());
  EXPECT_THAT(table().RemoveSession(SessionId{1}), testing::IsEmpty());
  ASSERT_OK_AND_ASSIGN(Lease found, table().Find(lease.id));
  EXPECT_EQ(found.session, SessionId::kNone);
}

TEST_P(LeaseTableConformance, RemoveExpiredTakesOutAtMostMax) {
  std::vector<LeaseId> expected;
  for (int i = 0; i < 10; ++i) {
    expected.push_back(Insert(Access::kRead, "a", absl::Seconds(10)).id);
  }
  const Lease later = Insert(Access::kRead, "a", absl::Seconds(100));
  Insert(Access::kRead, "a");
  EXPECT_THAT(table().RemoveExpired(Now(), 100), testing::IsEmpty());
  Advance(absl::Seconds(11));
  std::vector<LeaseId> removed;
  for (size_t size : {4u, 4u, 2u, 0u}) {
    const std::vector<LeaseId> ids = IdsOf(table().RemoveExpired(Now(), 4));
    EXPECT_EQ(ids.size(), size);
    removed.insert(removed.end(), ids.begin(), ids.end());
  }
  EXPECT_THAT(removed, testing::UnorderedElementsAreArray(expected));
  EXPECT_THAT(table().Find(later.id), IsOk());
}

TEST_P(LeaseTableConformance, NextDeadlineIsTheEarliestOfAll) {
  EXPECT_EQ(table().NextDeadline(), absl::InfiniteDuration());
  Insert(Access::kRead, "a");
  EXPECT_EQ(table().NextDeadline(), absl::InfiniteDuration());
  const Lease late = Insert(Access::kRead, "a", absl::Seconds(30));
  EXPECT_EQ(table().NextDeadline(), late.deadline);
  const Lease early = Insert(Access::kRead, "b", absl::Seconds(10));
  EXPECT_EQ(table().NextDeadline(), early.deadline);
  ASSERT_TRUE(table().Remove(early.id));
  EXPECT_EQ(table().NextDeadline(), late.deadline);
  ASSERT_TRUE(table().Remove(late.id));
  EXPECT_EQ(table().NextDeadline(), absl::InfiniteDuration());
}

// --- Remove, sessions, counts.

TEST_P(LeaseTableConformance, RemoveGivesALeaseOnce) {
  const Lease lease = Insert(Access::kRead, "a");
  absl::optional<Lease> removed = table().Remove(lease.id);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->id, lease.id);
  EXPECT_EQ(removed->object_id, lease.object_id);
  EXPECT_EQ(removed->incarnation, lease.incarnation);
  EXPECT_EQ(table().Remove(lease.id), absl::nullopt);
  EXPECT_THAT(table().Find(lease.id), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(LeaseTableConformance, RemoveFindsALeasePastItsDeadlineUntilItIsReaped) {
  const Lease first = Insert(Access::kRead, "a", absl::Seconds(10));
  const Lease second = Insert(Access::kRead, "a", absl::Seconds(10));
  Advance(absl::Seconds(11));
  EXPECT_TRUE(table().Remove(first.id));
  EXPECT_THAT(IdsOf(table().RemoveExpired(Now(), 10)), testing::ElementsAre(second.id));
  EXPECT_EQ(table().Remove(second.id), absl::nullopt);
}

TEST_P(LeaseTableConformance, RemoveSessionTakesOutItsLeasesOnly) {
  const Lease a = Insert(Access::kRead, "a", SessionId{1});
  const Lease b = Insert(Access::kCreate, "b", SessionId{1});
  const Lease other = Insert(Access::kRead, "a", SessionId{2});
  const Lease nobodys = Insert(Access::kRead, "a", absl::Seconds(10));
  std::vector<LeaseId> expected = {a.id, b.id};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(IdsOf(table().RemoveSession(SessionId{1})), expected);
  EXPECT_THAT(table().RemoveSession(SessionId{1}), testing::IsEmpty());
  EXPECT_THAT(table().RemoveSession(SessionId{3}), testing::IsEmpty());
  EXPECT_THAT(table().Find(other.id), IsOk());
  EXPECT_THAT(table().Find(nobodys.id), IsOk());
  EXPECT_THAT(table().Insert(NewLease(Access::kCreate, "b")), IsOk());
}

TEST_P(LeaseTableConformance, TellsOfEveryLiveLeaseOnce) {
  const auto told = [this] {
    std::vector<LeaseId> ids;
    table().ForEach([&](const Lease& lease) { ids.push_back(lease.id); });
    return ids;
  };
  EXPECT_THAT(told(), testing::IsEmpty());
  const Lease read = Insert(Access::kRead, "a", SessionId{1});
  const Lease create = Insert(Access::kCreate, "b", SessionId{2});
  const Lease timed = Insert(Access::kRead, "a", absl::Seconds(10));
  EXPECT_THAT(told(), testing::UnorderedElementsAre(read.id, create.id, timed.id));
  ASSERT_TRUE(table().Remove(create.id).has_value());
  Advance(absl::Seconds(11));
  EXPECT_THAT(told(), testing::ElementsAre(read.id));
}

TEST_P(LeaseTableConformance, CountsLeasesByAccess) {
  const auto counts = [this] {
    const LeaseCounts c = table().Counts();
    return std::vector<uint64_t>{c.read, c.create, c.write};
  };
  EXPECT_THAT(counts(), testing::ElementsAre(0, 0, 0));
  const Lease creator = Insert(Access::kCreate, "a");
  Insert(Access::kRead, "b", SessionId{1});
  Insert(Access::kRead, "b", absl::Seconds(10));
  Insert(Access::kWrite, "b");
  EXPECT_THAT(counts(), testing::ElementsAre(2, 1, 1));
  EXPECT_THAT(table().Insert(NewLease(Access::kWrite, "b")), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(counts(), testing::ElementsAre(2, 1, 1));
  Advance(absl::Seconds(11));
  table().RemoveExpired(Now(), 10);
  EXPECT_THAT(counts(), testing::ElementsAre(1, 1, 1));
  table().RemoveSession(SessionId{1});
  EXPECT_THAT(counts(), testing::ElementsAre(0, 1, 1));
  table().Remove(creator.id);
  EXPECT_THAT(counts(), testing::ElementsAre(0, 0, 1));
}

// --- Concurrency.

TEST_P(LeaseTableConformance, OfManyThreadsThatRemoveALeaseExactlyOneGetsIt) {
  constexpr int kLeases = 200;
  constexpr int kThreads = 4;
  std::vector<LeaseId> ids;
  for (int i = 0; i < kLeases; ++i) {
    // Half of them expired, so that the reaper competes as well.
    ids.push_back(i % 2 == 0 ? Insert(Access::kRead, "a", absl::Seconds(1)).id
                             : Insert(Access::kRead, "a", SessionId{1}).id);
  }
  Advance(absl::Seconds(2));
  std::vector<std::atomic<int>> taken(kLeases);
  const auto take = [&](const LeaseId& id) {
    taken[static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin())].fetch_add(1);
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (const LeaseId& id : ids) {
        if (table().Remove(id)) take(id);
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kLeases; ++i) {
      for (const Lease& lease : table().RemoveExpired(Now(), 1)) take(lease.id);
    }
  });
  threads.emplace_back([&] {
    for (const Lease& lease : table().RemoveSession(SessionId{1})) take(lease.id);
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(taken, testing::Each(
                         testing::ResultOf([](const std::atomic<int>& n) { return n.load(); }, 1)));
}

TEST_P(LeaseTableConformance, OfManyThreadsThatWantAnExclusiveLeaseExactlyOneGetsIt) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 50; ++round) {
    std::vector<Lease> wanted;
    for (int t = 0; t < kThreads; ++t) {
      wanted.push_back(NewLease(t % 2 == 0 ? Access::kCreate : Access::kWrite, "a"));
    }
    std::atomic<int> granted{0};
    std::vector<std::thread> threads;
    for (const Lease& lease : wanted) {
      threads.emplace_back([&, lease] {
        if (table().Insert(lease).ok()) granted.fetch_add(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(granted.load(), 1);
    for (const Lease& lease : wanted) table().Remove(lease.id);
  }
}

}  // namespace packice
