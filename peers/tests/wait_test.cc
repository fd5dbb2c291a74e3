// Waits that end in the very moment in which they are woken: whichever comes first, nothing is left
// behind and nobody waits for ever. And waits in masses.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/local_peer.h"

namespace packice {
namespace {

constexpr SessionId kMine{1};
constexpr SessionId kOther{2};
constexpr SessionId kThird{3};

// A lease table that lets a test step in just before a lease is recorded.
class IntrudedLeaseTable final : public LeaseTable {
 public:
  using Intrusion = std::function<void(const Lease&)>;

  IntrudedLeaseTable(const Clock& clock, const Intrusion& intrusion)
      : table_(clock), intrusion_(intrusion) {}

  absl::Status Insert(const Lease& lease) override {
    if (intrusion_) intrusion_(lease);
    return table_.Insert(lease);
  }
  absl::StatusOr<Lease> Find(const LeaseId& id) const override { return table_.Find(id); }
  absl::Status Share(const LeaseId& id) override { return table_.Share(id); }
  absl::Status Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) override {
    return table_.Extend(id, ttl, deadline);
  }
  absl::optional<Lease> Remove(const LeaseId& id) override { return table_.Remove(id); }
  std::vector<Lease> RemoveExpired(Instant now, size_t max) override {
    return table_.RemoveExpired(now, max);
  }
  std::vector<Lease> RemoveSession(SessionId session) override {
    return table_.RemoveSession(session);
  }
  Instant NextDeadline() const override { return table_.NextDeadline(); }
  LeaseCounts Counts() const override { return table_.Counts(); }
  void ForEach(absl::FunctionRef<void(const Lease&)> visit) const override {
    table_.ForEach(visit);
  }

 private:
  MemoryLeaseTable table_;
  const Intrusion& intrusion_;
};

class WaitTest : public testing::Test {
 protected:
  void Start(absl::optional<uint64_t> capacity = absl::nullopt) {
    LocalPeerOptions options;
    options.capacity = capacity;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    peer_ = std::make_unique<LocalPeer>(std::make_unique<HeapBlobStore>(),
                                        std::make_unique<IntrudedLeaseTable>(clock_, intrusion_),
                                        /*policy=*/nullptr, options);
  }
  void SetUp() override { Start(); }
  void TearDown() override {
    if (intruder_.joinable()) intruder_.join();
  }

  static AcquireRequest Request(Access access, SessionId session = kMine) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse("a");
    request.session = session;
    return request;
  }
  Pending<absl::StatusOr<Grant>> StartAcquire(AcquireRequest request,
                                              absl::Duration wait = absl::Hours(1)) {
    request.wait = wait;
    Pending<absl::StatusOr<Grant>> pending;
    peer_->Acquire(std::move(request), pending.Callback());
    return pending;
  }
  Grant CreateSealed() {
    absl::StatusOr<Grant> creator = blocking::Acquire(*peer_, Request(Access::kCreate));
    EXPECT_THAT(creator, IsOk());
    EXPECT_THAT(blocking::Seal(*peer_, SealOf(*creator)), IsOk());
    return *creator;
  }
  static SealRequest SealOf(const Grant& grant) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    return request;
  }
  absl::Status Release(const Grant& grant) {
    return blocking::Release(*peer_, {grant.lease.id, grant.lease.session, OperationId::kNone});
  }
  PeerStats Stats() { return *blocking::Stats(*peer_); }

  // Has another thread do `what` when a lease is about to be recorded for `session`. It gets a turn
  // then; a peer that makes it wait for its own turn may do so.
  void Intrude(SessionId session, std::function<void()> what) {
    intrusion_ = [this, session, what](const Lease& lease) {
      if (lease.session != session || intruded_.exchange(true)) return;
      auto over = std::make_shared<std::atomic<bool>>(false);
      intruder_ = std::thread([what, over] {
        what();
        over->store(true);
      });
      const absl::Time patience = absl::Now() + absl::Milliseconds(50);
      while (!over->load() && absl::Now() < patience) std::this_thread::yield();
    };
  }
  void AwaitIntruder() {
    ASSERT_TRUE(intruder_.joinable());
    intruder_.join();
  }

  FakeClock clock_;
  FakeRandom random_;
  IntrudedLeaseTable::Intrusion intrusion_;
  std::atomic<bool> intruded_{false};
  std::thread intruder_;
  std::unique_ptr<LocalPeer> peer_;
};

TEST_F(WaitTest, NoLeaseOutlivesASessionThatEndsWhileItsWaitIsGranted) {
  absl::StatusOr<Grant> creator = blocking::Acquire(*peer_, Request(Access::kCreate));
  ASSERT_THAT(creator, IsOk());
  auto reader = StartAcquire(Request(Access::kRead, kOther));
  Intrude(kOther, [this] { peer_->EndSession(kOther); });
  ASSERT_THAT(blocking::Seal(*peer_, SealOf(*creator)), IsOk());
  AwaitIntruder();
  EXPECT_EQ(Stats().read_leases, 0u);
  EXPECT_EQ(Stats().waiting, 0u);
  EXPECT_EQ(reader.calls(), 1);
}

TEST_F(WaitTest, NoObjectOutlivesASessionThatEndsWhileItsWaitIsGranted) {
  absl::StatusOr<Grant> creator = blocking::Acquire(*peer_, Request(Access::kCreate));
  ASSERT_THAT(creator, IsOk());
  auto next = StartAcquire(Request(Access::kCreate, kOther));
  Intrude(kOther, [this] { peer_->EndSession(kOther); });
  ASSERT_THAT(Release(*creator), IsOk());
  AwaitIntruder();
  EXPECT_EQ(Stats().create_leases, 0u);
  EXPECT_EQ(Stats().objects, 0u);
  EXPECT_EQ(next.calls(), 1);
}

// Two wait to write. While the first one's lease is recorded, the other one's wait ends.
class TwoWritersTest : public WaitTest {
 protected:
  // How the second one's wait ended, when `end` was called in the middle of the first one's grant.
  absl::StatusOr<Grant> SecondWhen(std::function<void()> end) {
    CreateSealed();
    absl::StatusOr<Grant> holder = blocking::Acquire(*peer_, Request(Access::kWrite));
    EXPECT_THAT(holder, IsOk());
    auto first = StartAcquire(Request(Access::kWrite, kOther));
    AcquireRequest request = Request(Access::kWrite, kThird);
    request.operation = kOperation;
    auto second = StartAcquire(request, absl::Seconds(10));
    Intrude(kOther, std::move(end));
    EXPECT_THAT(Release(*holder), IsOk());
    AwaitIntruder();
    EXPECT_THAT(first.Wait(), IsOk());
    EXPECT_TRUE(second.IsDone());
    EXPECT_EQ(Stats().waiting, 0u);
    if (!second.IsDone()) return absl::UnknownError("still waits");
    return second.Wait();
  }

  static constexpr OperationId kOperation{1234};
};

TEST_F(TwoWritersTest, AWaitIsCancelledWhileAnotherIsGranted) {
  EXPECT_THAT(SecondWhen([this] { peer_->Cancel(kOperation); }), HasKind(ErrorKind::kTimeout));
}

TEST_F(TwoWritersTest, AWaitsSessionEndsWhileAnotherIsGranted) {
  EXPECT_THAT(SecondWhen([this] { peer_->EndSession(kThird); }), HasKind(ErrorKind::kUnavailable));
}

TEST_F(TwoWritersTest, AWaitTimesOutWhileAnotherIsGranted) {
  Instant next;
  EXPECT_THAT(SecondWhen([this, &next] {
                clock_.Advance(absl::Seconds(11));
                next = peer_->RunDue();
              }),
              HasKind(ErrorKind::kTimeout));
}

// A timer that looks for the next deadline just then must see that of every wait.
TEST_F(TwoWritersTest, TheDeadlineOfAWaitIsNeverOverlooked) {
  CreateSealed();
  absl::StatusOr<Grant> holder = blocking::Acquire(*peer_, Request(Access::kWrite));
  ASSERT_THAT(holder, IsOk());
  auto first = StartAcquire(Request(Access::kWrite, kOther), absl::Hours(2));
  auto second = StartAcquire(Request(Access::kWrite, kThird), absl::Seconds(10));
  const Instant deadline = clock_.Now() + absl::Seconds(10);
  Instant next;
  Intrude(kOther, [this, &next] { next = peer_->RunDue(); });
  EXPECT_THAT(Release(*holder), IsOk());
  AwaitIntruder();
  EXPECT_EQ(next, deadline);
}

// --- Masses.

// The one that fails wakes the next one. That must not cost stack for each.
TEST_F(WaitTest, ThirtyThousandWaitingCreatesThatFailOneAfterTheOther) {
  Start(/*capacity=*/10);
  absl::StatusOr<Grant> creator = blocking::Acquire(*peer_, Request(Access::kCreate));
  ASSERT_THAT(creator, IsOk());
  constexpr int kWaiters = 30'000;
  int refused = 0;
  for (int i = 0; i < kWaiters; ++i) {
    AcquireRequest request = Request(Access::kCreate);
    request.blob_sizes = {11};
    request.wait = absl::Hours(1);
    peer_->Acquire(request, [&refused](absl::StatusOr<Grant> grant) {
      refused += !grant.ok() && KindOf(grant.status()) == ErrorKind::kCapacity;
    });
  }
  auto reader = StartAcquire(Request(Access::kRead));
  ASSERT_THAT(Release(*creator), IsOk());
  EXPECT_EQ(refused, kWaiters);
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(Stats().objects, 0u);
}

// Of many leases that end at once, none stands in the way of a callback that runs at the end of
// another one.
TEST_F(WaitTest, NoCallbackSeesALeaseThatEndedTogetherWithTheOneItWaitedFor) {
  constexpr int kObjects = 100;
  const auto request_of = [](int i, Access access, SessionId session) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(std::to_string(i));
    request.session = session;
    return request;
  };
  for (const bool by_time : {false, true}) {
    for (int i = 0; i < kObjects; ++i) {
      AcquireRequest request = request_of(i, Access::kCreate, kMine);
      if (by_time) request.ttl = absl::Seconds(10);
      ASSERT_THAT(blocking::Acquire(*peer_, request), IsOk());
    }
    std::vector<absl::Status> seen;
    for (int i = 0; i < kObjects; ++i) {
      AcquireRequest request = request_of(i, Access::kRead, kOther);
      request.wait = absl::Hours(1);
      peer_->Acquire(request, [&](const absl::StatusOr<Grant>&) {
        for (int j = 0; j < kObjects; ++j) {
          peer_->Acquire(request_of(j, Access::kRead, kOther),
                         [&](absl::StatusOr<Grant> grant) { seen.push_back(grant.status()); });
        }
      });
    }
    if (by_time) {
      clock_.Advance(absl::Seconds(11));
      peer_->RunDue();
    } else {
      peer_->EndSession(kMine);
    }
    EXPECT_EQ(seen.size(), size_t{kObjects * kObjects});
    EXPECT_THAT(seen, testing::Each(HasKind(ErrorKind::kNotFound)));
  }
}

TEST_F(WaitTest, WhenThePeerGoesEveryWaitIsAnsweredOnce) {
  absl::StatusOr<Grant> creator = blocking::Acquire(*peer_, Request(Access::kCreate));
  ASSERT_THAT(creator, IsOk());
  std::vector<Pending<absl::StatusOr<Grant>>> waits;
  for (int i = 0; i < 100; ++i) waits.push_back(StartAcquire(Request(Access::kRead)));
  peer_.reset();
  for (auto& wait : waits) {
    ASSERT_TRUE(wait.IsDone());
    EXPECT_THAT(wait.Wait(), HasKind(ErrorKind::kUnavailable));
    EXPECT_EQ(wait.calls(), 1);
  }
}

}  // namespace
}  // namespace packice
