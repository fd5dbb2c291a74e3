// Room: what is evicted for it, what is not, and what is charged.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/latch.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/recording_event_sink.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/local_peer.h"

namespace packice {
namespace {

constexpr uint64_t kCapacity = 1000;

// A policy that can stop between the choice of a victim and what is done to it.
class StoppablePolicy final : public EvictionPolicy {
 public:
  struct Stop {
    std::atomic<bool> armed{false};
    Latch reached;
    Latch go_on;
  };

  explicit StoppablePolicy(Stop& stop) : stop_(stop) {}

  void Insert(EvictionEntry& entry) override { lru_->Insert(entry); }
  void Hit(EvictionEntry& entry) override { lru_->Hit(entry); }
  void Pin(EvictionEntry& entry) override { lru_->Pin(entry); }
  void Unpin(EvictionEntry& entry) override { lru_->Unpin(entry); }
  void Remove(EvictionEntry& entry) override { lru_->Remove(entry); }
  absl::optional<absl::Duration> ColdestAge() const override { return lru_->ColdestAge(); }
  uint64_t skips() const override { return lru_->skips(); }
  absl::optional<Victim> Evict() override {
    absl::optional<Victim> victim = lru_->Evict();
    if (stop_.armed.exchange(false)) {
      stop_.reached.Set();
      stop_.go_on.Wait();
    }
    return victim;
  }

 private:
  Stop& stop_;
  const std::unique_ptr<EvictionPolicy> lru_ =
      MakeEvictionPolicy(*ParseEvictionSpec("lru"), kCapacity);
};

class RoomTest : public testing::Test {
 protected:
  RoomTest() {
    LocalPeerOptions options;
    options.capacity = kCapacity;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    options.describe_session = [](SessionId session) {
      return absl::StrCat("holder ", static_cast<uint64_t>(session));
    };
    peer_ = std::make_unique<LocalPeer>(std::make_unique<MemoryBlobStore>(),
                                        std::make_unique<MemoryLeaseTable>(clock_),
                                        std::make_unique<StoppablePolicy>(stop_), options);
  }

  static AcquireRequest Request(Access access, absl::string_view id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    return request;
  }
  static AcquireRequest CreateRequest(absl::string_view id, absl::optional<uint64_t> size) {
    AcquireRequest request = Request(Access::kCreate, id);
    if (size) request.blob_sizes = {*size};
    return request;
  }
  absl::StatusOr<Grant> Create(absl::string_view id, absl::optional<uint64_t> size) {
    return blocking::Acquire(*peer_, CreateRequest(id, size));
  }
  absl::StatusOr<Grant> Read(absl::string_view id) {
    return blocking::Acquire(*peer_, Request(Access::kRead, id));
  }
  absl::StatusOr<Sealed> Seal(const Grant& grant, absl::optional<uint64_t> size = absl::nullopt) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.size = size;
    return blocking::Seal(*peer_, request);
  }
  absl::Status Release(const Grant& grant) {
    return blocking::Release(*peer_, {grant.lease.id, SessionId::kNone, OperationId::kNone});
  }
  absl::Status Put(absl::string_view id, uint64_t size) {
    absl::StatusOr<Grant> grant = Create(id, size);
    if (!grant.ok()) return grant.status();
    if (absl::Status s = Seal(*grant).status(); !s.ok()) return s;
    return Release(*grant);
  }
  PeerStats Stats() { return *blocking::Stats(*peer_); }

  StoppablePolicy::Stop stop_;
  FakeClock clock_;
  FakeRandom random_;
  std::unique_ptr<LocalPeer> peer_;
};

// --- Who holds the room.

TEST_F(RoomTest, WithoutRoomACreateIsToldWhoHoldsIt) {
  const auto hold = [this](Access access, absl::string_view id, uint64_t session) {
    AcquireRequest request = Request(access, id);
    request.session = SessionId{session};
    return blocking::Acquire(*peer_, request).status();
  };
  ASSERT_THAT(Put("a", 300), IsOk());
  ASSERT_THAT(Put("b", 200), IsOk());
  ASSERT_THAT(Put("c", 100), IsOk());
  for (int i = 0; i < 3; ++i) ASSERT_THAT(hold(Access::kRead, "c", 7), IsOk());
  ASSERT_THAT(hold(Access::kRead, "b", 7), IsOk());
  ASSERT_THAT(hold(Access::kRead, "a", 8), IsOk());
  ASSERT_THAT(hold(Access::kRead, "b", 8), IsOk());
  ASSERT_THAT(Create("d", 350), IsOk());
  const absl::Status status = Create("e", 100).status();
  EXPECT_THAT(status, HasKind(ErrorKind::kCapacity));
  EXPECT_EQ(status.message(),
            "no room for 100 bytes: 950 of 1000 are taken, and nothing may be evicted; 600 are "
            "leased by 6 leases, 350 are being written; the most, 500, are held by holder 8; "
            "release some or raise the capacity");
}

TEST_F(RoomTest, LeasesWithATtlAreNobodysConnection) {
  AcquireRequest request = CreateRequest("a", 1000);
  request.ttl = absl::Seconds(10);
  ASSERT_THAT(blocking::Acquire(*peer_, request), IsOk());
  EXPECT_THAT(Create("b", 1).status().message(),
              testing::HasSubstr("the most, 1000, are held by leases with a TTL"));
}

TEST_F(RoomTest, ACreateThatCannotSucceedEvictsNothing) {
  ASSERT_THAT(Put("leased", 500), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("leased"));
  ASSERT_THAT(Put("a", 200), IsOk());
  ASSERT_THAT(Put("b", 200), IsOk());
  EXPECT_THAT(Create("c", 501), HasKind(ErrorKind::kCapacity));
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_EQ(Stats().objects, 3u);
  EXPECT_THAT(Create("c", 500), IsOk()) << "just enough, once all that can go has gone";
  EXPECT_EQ(Stats().evictions, 2u);
}

TEST_F(RoomTest, WhatIsReadAndReleasedOverAndOverCountsOnceAsRoomThatCanBeMade) {
  ASSERT_THAT(Put("a", 300), IsOk());
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK_AND_ASSIGN(Grant one, Read("a"));
    ASSERT_OK_AND_ASSIGN(Grant two, Read("a"));
    ASSERT_THAT(Release(one), IsOk());
    ASSERT_THAT(Release(two), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 700));
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_THAT(Create("c", 301), HasKind(ErrorKind::kCapacity));
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_THAT(Create("c", 300), IsOk());
}

// Somebody else has just chosen the only victim, which has room for both.
TEST_F(RoomTest, RoomThatIsBeingMadeIsWaitedFor) {
  ASSERT_THAT(Put("large", kCapacity), IsOk());
  stop_.armed = true;
  Pending<absl::StatusOr<Grant>> first;
  std::thread evictor([&] { peer_->Acquire(CreateRequest("a", 10), first.Callback()); });
  stop_.reached.Wait();
  Pending<absl::StatusOr<Grant>> second;
  std::thread other([&] { peer_->Acquire(CreateRequest("b", 10), second.Callback()); });
  // Gives it its turn. It must not have failed by then.
  const absl::Time patience = absl::Now() + absl::Milliseconds(20);
  while (!second.IsDone() && absl::Now() < patience) std::this_thread::yield();
  stop_.go_on.Set();
  evictor.join();
  other.join();
  EXPECT_THAT(first.Wait(), IsOk());
  EXPECT_THAT(second.Wait(), IsOk());
}

// --- Sizes that are known at Seal only.

TEST_F(RoomTest, ASealMakesRoomForWhatWasWritten) {
  ASSERT_THAT(Put("a", 600), IsOk());
  ASSERT_THAT(Put("b", 300), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("c", absl::nullopt));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, std::string(500, 'c')), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_EQ(Stats().bytes, 800u);
  EXPECT_EQ(Stats().evictions, 1u);
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Read("b"), IsOk());
}

TEST_F(RoomTest, ASealThatFindsNoRoomLeavesTheObjectAsItWas) {
  ASSERT_THAT(Put("a", 600), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("c", absl::nullopt));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, std::string(500, 'c')), IsOk());
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Read("c"), HasKind(ErrorKind::kNotSealed));
  EXPECT_EQ(Stats().bytes, 600u);
  ASSERT_THAT(Release(reader), IsOk());
  EXPECT_THAT(Seal(creator), IsOk());
  EXPECT_EQ(Stats().bytes, 500u);
}

TEST_F(RoomTest, ASealThatCutsIsChargedForWhatIsLeft) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", absl::nullopt));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, std::string(2 * kCapacity, 'a')), IsOk());
  ASSERT_THAT(Seal(creator, 100), IsOk());
  EXPECT_EQ(Stats().bytes, 100u);
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Create("b", kCapacity - 100), IsOk());
  EXPECT_EQ(Stats().evictions, 0u);
}

TEST_F(RoomTest, ASizeThatContradictsTheDeclaredOneEvictsNothing) {
  ASSERT_THAT(Put("a", 900), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 10));
  EXPECT_THAT(Seal(creator, 500), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Seal(creator, 2 * kCapacity), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_EQ(Stats().bytes, 910u);
  EXPECT_THAT(Seal(creator, 10), IsOk());
}

TEST_F(RoomTest, ASealThatFailsGivesItsRoomBack) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", absl::nullopt));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, std::string(500, 'a')), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(Mapping mapping, creator.object->blobs()[0]->Map(MapAccess::kReadWrite));
    EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kBusy));
    EXPECT_EQ(Stats().bytes, 0u);
  }
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_EQ(Stats().bytes, 500u);
}

// --- What ends while leased.

TEST_F(RoomTest, EveryWayInWhichAnObjectEndsGivesItsRoomBackOnce) {
  const auto put = [this] {
    AcquireRequest request = CreateRequest("a", 400);
    request.object_ttl = absl::Seconds(10);
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer_, request);
    EXPECT_THAT(grant, IsOk());
    EXPECT_THAT(Seal(*grant), IsOk());
    return *grant;
  };
  // Released, then over.
  ASSERT_THAT(Release(put()), IsOk());
  clock_.Advance(absl::Seconds(11));
  EXPECT_EQ(Stats().bytes, 0u);
  // Over, then released.
  Grant grant = put();
  clock_.Advance(absl::Seconds(11));
  EXPECT_EQ(Stats().bytes, 400u);
  ASSERT_THAT(Release(grant), IsOk());
  EXPECT_EQ(Stats().bytes, 0u);
  // Over, then discarded.
  grant = put();
  clock_.Advance(absl::Seconds(11));
  EXPECT_EQ(Stats().objects, 0u);
  EXPECT_THAT(blocking::Discard(*peer_, {grant.lease.id, {}, {}}), IsOk());
  EXPECT_EQ(Stats().bytes, 0u);
  // Discarded twice, by two who may.
  grant = put();
  ASSERT_OK_AND_ASSIGN(Grant writer, blocking::Acquire(*peer_, Request(Access::kWrite, "a")));
  EXPECT_THAT(blocking::Discard(*peer_, {writer.lease.id, {}, {}}), IsOk());
  EXPECT_EQ(Stats().bytes, 400u);
  EXPECT_THAT(blocking::Discard(*peer_, {grant.lease.id, {}, {}}), IsOk());
  EXPECT_EQ(Stats().bytes, 0u);
  // And all of the room is there.
  EXPECT_THAT(Create("b", kCapacity), IsOk());
  EXPECT_EQ(Stats().evictions, 0u);
}

}  // namespace
}  // namespace packice
