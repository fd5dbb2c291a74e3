// What every LeaseTable must do. A table's test file includes this and instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, LeaseTableConformance,
//                            testing::Values(LeaseTableParam::OverFakeClock("Memory", make)),
//                            LeaseTableParam::NameOf);
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/lease_table.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/plain_lease_table.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {

// An empty table, and the time it goes by.
class LeaseTableUnderTest {
 public:
  virtual ~LeaseTableUnderTest() = default;
  virtual LeaseTable& table() = 0;
  virtual Instant Now() const = 0;
  virtual void Advance(absl::Duration by) = 0;
};

struct LeaseTableParam {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<LeaseTableUnderTest>()> make;

  // Of a table in this process, made over a clock.
  static LeaseTableParam OverFakeClock(
      std::string name, std::function<std::unique_ptr<LeaseTable>(Clock&)> make_table) {
    struct Plain final : LeaseTableUnderTest {
      explicit Plain(const std::function<std::unique_ptr<LeaseTable>(Clock&)>& make_table)
          : table_(make_table(clock_)) {}
      LeaseTable& table() override { return *table_; }
      Instant Now() const override { return clock_.Now(); }
      void Advance(absl::Duration by) override { clock_.Advance(by); }

      FakeClock clock_;
      std::unique_ptr<LeaseTable> table_;
    };
    return {std::move(name),
            [make_table = std::move(make_table)] { return std::make_unique<Plain>(make_table); }};
  }

  static std::string NameOf(const testing::TestParamInfo<LeaseTableParam>& info) {
    return info.param.name;
  }
};

inline void PrintTo(const LeaseTableParam& param, std::ostream* os) { *os << param.name; }
inline void PrintTo(const Lease& lease, std::ostream* os) {
  *os << AccessName(lease.access) << " lease " << lease.id.ToString() << " on "
      << lease.object_id.ToQuoted();
}

class LeaseTableConformance : public testing::TestWithParam<LeaseTableParam> {
 protected:
  LeaseTable& table() { return under_test_->table(); }
  Instant Now() const { return under_test_->Now(); }
  void Advance(absl::Duration by) { under_test_->Advance(by); }

  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
  static std::vector<LeaseId> IdsOf(const std::vector<Lease>& leases) {
    std::vector<LeaseId> ids;
    for (const Lease& lease : leases) ids.push_back(lease.id);
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  // Not in the table yet.
  Lease NewLease(Access access, absl::string_view object_id, SessionId session = SessionId::kNone) {
    Lease lease;
    lease.id = LeaseId::Random(random_);
    lease.object_id = Id(object_id);
    lease.incarnation = 7;
    lease.access = access;
    lease.session = session;
    return lease;
  }
  Lease NewLease(Access access, absl::string_view object_id, absl::Duration ttl) {
    Lease lease = NewLease(access, object_id);
    lease.ttl = ttl;
    lease.deadline = Now() + ttl;
    return lease;
  }
  template <typename... Args>
  Lease Insert(const Args&... args) {
    Lease lease = NewLease(args...);
    EXPECT_THAT(table().Insert(lease), IsOk());
    return lease;
  }

  FakeRandom random_;
  std::unique_ptr<LeaseTableUnderTest> under_test_ = GetParam().make();
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LeaseTableConformance);

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

// --- The model.

// The same operations, chosen at random, must answer the same as in PlainLeaseTable. Deadlines fall
// on odd milliseconds and the time is even, so that nothing hangs on the very instant of a
// deadline.
TEST_P(LeaseTableConformance, AnswersAsThePlainTableDoes) {
  struct TimeOfTable final : Clock {
    explicit TimeOfTable(const LeaseTableUnderTest& table) : under_test(table) {}
    Instant Now() const override { return under_test.Now(); }
    absl::Time WallTime() const override { return absl::UnixEpoch(); }
    const LeaseTableUnderTest& under_test;
  };

  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    under_test_ = GetParam().make();
    const TimeOfTable time(*under_test_);
    PlainLeaseTable model(time);
    std::mt19937_64 random(seed);
    const auto below = [&](uint64_t n) { return random() % n; };
    const auto ttl = [&] { return absl::Milliseconds(2 * below(500) + 1); };
    std::vector<LeaseId> known = {LeaseId()};
    const auto any_lease = [&] {
      return known[known.size() - 1 - below(std::min<size_t>(known.size(), 64))];
    };
    const auto kind = [](const absl::Status& status) {
      return status.ok() ? std::string("ok") : std::string(InfoOf(KindOf(status)).name);
    };

    for (int step = 0; step < 2000; ++step) {
      SCOPED_TRACE(absl::StrCat("step ", step));
      switch (below(10)) {
        case 0:
        case 1:
        case 2: {
          const std::string object_id = absl::StrCat("object ", below(8));
          const Access access = static_cast<Access>(below(3));
          const Lease lease = below(2) == 0 ? NewLease(access, object_id, ttl())
                                            : NewLease(access, object_id, SessionId{below(5) + 1});
          ASSERT_EQ(kind(table().Insert(lease)), kind(model.Insert(lease)));
          known.push_back(lease.id);
          break;
        }
        case 3: {
          const LeaseId id = any_lease();
          const auto found = table().Find(id);
          const auto expected = model.Find(id);
          ASSERT_EQ(kind(found.status()), kind(expected.status()));
          if (!expected.ok()) break;
          ASSERT_EQ(found->id, id);
          ASSERT_EQ(found->object_id, expected->object_id);
          ASSERT_EQ(found->access, expected->access);
          ASSERT_EQ(found->session, expected->session);
          ASSERT_EQ(found->ttl, expected->ttl);
          ASSERT_EQ(found->deadline, expected->deadline);
          break;
        }
        case 4: {
          const LeaseId id = any_lease();
          const auto lease = model.Find(id);
          if (lease.ok() && lease->access != Access::kCreate) break;
          ASSERT_EQ(kind(table().Share(id)), kind(model.Share(id)));
          break;
        }
        case 5: {
          const LeaseId id = any_lease();
          const absl::Duration by = ttl();
          ASSERT_EQ(kind(table().Extend(id, by, Now() + by)),
                    kind(model.Extend(id, by, Now() + by)));
          break;
        }
        case 6: {
          const LeaseId id = any_lease();
          const absl::optional<Lease> removed = table().Remove(id);
          ASSERT_EQ(removed.has_value(), model.Remove(id).has_value());
          break;
        }
        case 7: {
          const SessionId session{below(5) + 1};
          if (below(4) != 0) break;
          ASSERT_EQ(IdsOf(table().RemoveSession(session)), IdsOf(model.RemoveSession(session)));
          break;
        }
        case 8:
          Advance(absl::Milliseconds(2 * below(50)));
          break;
        case 9:
          ASSERT_EQ(IdsOf(table().RemoveExpired(Now(), SIZE_MAX)),
                    IdsOf(model.RemoveExpired(Now(), SIZE_MAX)));
          ASSERT_EQ(table().NextDeadline(), model.NextDeadline());
          const LeaseCounts counts = table().Counts();
          const LeaseCounts expected = model.Counts();
          ASSERT_EQ(counts.read, expected.read);
          ASSERT_EQ(counts.create, expected.create);
          ASSERT_EQ(counts.write, expected.write);
          break;
      }
    }
  }
}

}  // namespace packice
