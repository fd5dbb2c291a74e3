#include "packice/peers/memory_peer.h"

#include <memory>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/core/testing/recording_event_sink.h"

namespace packice {
namespace {

using testing::ElementsAre;

class MemoryPeerUnderTest final : public PeerUnderTest {
 public:
  explicit MemoryPeerUnderTest(const PeerOptions& options, MemoryBlobStoreOptions memory = {},
                               size_t open_at_rest = LocalPeerOptions().open_at_rest) {
    LocalPeerOptions local;
    local.open_at_rest = open_at_rest;
    local.capacity = options.capacity;
    local.eviction.kind = EvictionKind::kLru;
    local.background_reaper = false;
    local.clock = &clock_;
    local.random = &random_;
    local.events = &events_;
    peer_ = MakeMemoryPeer(local, std::move(memory));
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    peer_->RunDue();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

  FakeClock clock_;
  FakeRandom random_;
  RecordingEventSink events_;
  std::unique_ptr<LocalPeer> peer_;
};

PeerParam Memory() {
  PeerParam param;
  param.name = "Memory";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<MemoryPeerUnderTest>(options, MemoryBlobStoreOptions());
  };
  return param;
}

// A memfd for each object.
PeerParam MemoryApart() {
  PeerParam param = Memory();
  param.name = "MemoryApart";
  param.make = [](const PeerOptions& options) {
    MemoryBlobStoreOptions memory;
    memory.segment_threshold = 0;
    return std::make_unique<MemoryPeerUnderTest>(options, memory);
  };
  return param;
}

// Closes every object as soon as nobody uses it, as a node with very many does.
PeerParam MemoryParked() {
  PeerParam param = Memory();
  param.name = "MemoryParked";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<MemoryPeerUnderTest>(options, MemoryBlobStoreOptions(),
                                                 /*open_at_rest=*/0);
  };
  return param;
}

const auto kPeers = testing::Values(Memory(), MemoryApart(), MemoryParked());
INSTANTIATE_TEST_SUITE_P(Memory, PeerConformance, kPeers, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, PeerRelocateConformance, kPeers, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, PeerLookupConformance, kPeers, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, PeerEvictionConformance, kPeers, PeerParam::NameOf);

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

AcquireRequest Request(Access access, absl::string_view id) {
  AcquireRequest request;
  request.access = access;
  request.object_id = Id(id);
  return request;
}

TEST(MemoryPeerTest, PublishesTheLifeOfAnObject) {
  MemoryPeerUnderTest under_test({});
  Peer& peer = under_test.peer();
  AcquireRequest request = Request(Access::kCreate, "a");
  request.operation = OperationId{77};
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(peer, request));
  ASSERT_THAT(blocking::Seal(peer, {grant.lease.id, {}, {}, {}, {}}), IsOk());
  ASSERT_THAT(blocking::Discard(peer, {grant.lease.id, {}, {}}), IsOk());
  EXPECT_THAT(under_test.events_.KindsOf(Id("a")),
              ElementsAre(EventKind::kCreated, EventKind::kSealed, EventKind::kDiscarded));
  EXPECT_EQ(under_test.events_.events()[0].operation, OperationId{77});
}

TEST(MemoryPeerTest, APutIsToldAsACreationAndASeal) {
  MemoryPeerUnderTest under_test({});
  PutRequest request;
  request.object_id = Id("a");
  request.bytes = "bytes";
  request.operation = OperationId{78};
  ASSERT_THAT(blocking::Put(under_test.peer(), request), IsOk());
  EXPECT_THAT(under_test.events_.KindsOf(Id("a")),
              ElementsAre(EventKind::kCreated, EventKind::kSealed));
  for (const RecordedEvent& event : under_test.events_.events()) {
    EXPECT_EQ(event.operation, OperationId{78});
  }
}

// The reaper's own thread, with the real clock: nobody calls, and the lease ends all the same.
TEST(MemoryPeerTest, ALeaseEndsWithoutAnyoneAsking) {
  RecordingEventSink events;
  LocalPeerOptions options;
  options.events = &events;
  auto peer = MakeMemoryPeer(options);
  AcquireRequest request = Request(Access::kCreate, "a");
  request.ttl = absl::Milliseconds(5);
  ASSERT_THAT(blocking::Acquire(*peer, request), IsOk());
  AcquireRequest next = Request(Access::kCreate, "a");
  next.wait = absl::Seconds(30);
  EXPECT_THAT(blocking::Acquire(*peer, next), IsOk());
  EXPECT_THAT(events.KindsOf(Id("a")), ElementsAre(EventKind::kCreated, EventKind::kLeaseExpired,
                                                   EventKind::kAbandoned, EventKind::kCreated));
}

TEST(MemoryPeerTest, TenThousandWaitersCostNoThreads) {
  MemoryPeerUnderTest under_test({});
  Peer& peer = under_test.peer();
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(peer, Request(Access::kCreate, "a")));
  constexpr int kWaiters = 10000;
  int granted = 0;
  for (int i = 0; i < kWaiters; ++i) {
    AcquireRequest request = Request(Access::kRead, "a");
    request.wait = absl::Hours(1);
    peer.Acquire(request, [&granted](absl::StatusOr<Grant> reader) { granted += reader.ok(); });
  }
  ASSERT_OK_AND_ASSIGN(PeerStats stats, blocking::Stats(peer));
  EXPECT_EQ(stats.waiting, kWaiters);
  EXPECT_EQ(granted, 0);
  // All on this thread: had one of them blocked, this line would not be reached.
  ASSERT_THAT(blocking::Seal(peer, {grant.lease.id, {}, {}, {}, {}}), IsOk());
  EXPECT_EQ(granted, kWaiters);
}

}  // namespace
}  // namespace packice
