// A lease table against the model of all of them, by random operations. See
// lease_table_conformance.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/core/testing/lease_table_fixture.h"
#include "packice/core/testing/plain_lease_table.h"

namespace packice {

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
