#include "packice/core/testing/plain_peer.h"

#include <memory>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/core/testing/recording_event_sink.h"

namespace packice {
namespace {

using testing::ElementsAre;

class PlainPeerUnderTest final : public PeerUnderTest {
 public:
  explicit PlainPeerUnderTest(const PeerOptions& options)
      : peer_(store_, clock_, random_, events_, {options.capacity}) {}

  Peer& peer() override { return peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    peer_.RunDue();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

  HeapBlobStore store_;
  FakeClock clock_;
  FakeRandom random_;
  RecordingEventSink events_;
  PlainPeer peer_;
};

PeerParam Plain() {
  PeerParam param;
  param.name = "Plain";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<PlainPeerUnderTest>(options);
  };
  param.sees_writable_mappings = false;  // the heap knows nothing of its mappings
  return param;
}

INSTANTIATE_TEST_SUITE_P(Plain, PeerConformance, testing::Values(Plain()), PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Plain, PeerRelocateConformance, testing::Values(Plain()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Plain, PeerLookupConformance, testing::Values(Plain()), PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Plain, PeerEvictionConformance, testing::Values(Plain()),
                         PeerParam::NameOf);

TEST(PlainPeerTest, PublishesWhatHappens) {
  PlainPeerUnderTest under_test({});
  Peer& peer = under_test.peer();
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse("a");
  request.ttl = absl::Seconds(10);
  request.operation = OperationId{77};
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(peer, request));
  under_test.Advance(absl::Seconds(11));
  EXPECT_THAT(under_test.events_.KindsOf(request.object_id),
              ElementsAre(EventKind::kCreated, EventKind::kLeaseExpired, EventKind::kAbandoned));
  EXPECT_EQ(under_test.events_.events()[0].operation, OperationId{77});
}

TEST(PlainPeerTest, AStoreThatFailsLeavesNoTrace) {
  PlainPeerUnderTest under_test({});
  Peer& peer = under_test.peer();
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse("a");
  under_test.store_.FailNextCreate(ErrorKind::kIo);
  EXPECT_THAT(blocking::Acquire(peer, request), HasKind(ErrorKind::kIo));
  EXPECT_THAT(blocking::Stat(peer, request.object_id), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(blocking::Acquire(peer, request), IsOk());
}

TEST(PlainPeerTest, SealIsBusyWhileAMappingIsWritable) {
  PlainPeerUnderTest under_test({});
  Peer& peer = under_test.peer();
  AcquireRequest request;
  request.access = Access::kCreate;
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(peer, request));
  SealRequest seal;
  seal.lease_id = grant.lease.id;
  under_test.store_.PretendWritableMapping(true);
  EXPECT_THAT(blocking::Seal(peer, seal), HasKind(ErrorKind::kBusy));
  under_test.store_.PretendWritableMapping(false);
  EXPECT_THAT(blocking::Seal(peer, seal), IsOk());
}

}  // namespace
}  // namespace packice
