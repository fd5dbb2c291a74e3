// The fixture of the lease table conformance suite: a table under test and the time it goes by. See
// lease_table_conformance.h.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/lease_table.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
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

}  // namespace packice
