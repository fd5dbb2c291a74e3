// A peer with faults is a peer as long as nothing is wrong with it, and fails as it is told.
#include "packice/core/testing/faulty_peer.h"

#include <memory>
#include <string>
#include <thread>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/core/testing/plain_peer.h"

namespace packice {
namespace {

using Call = FaultyPeer::Call;
using testing::ElementsAre;

class FaultyPeerUnderTest final : public PeerUnderTest {
 public:
  FaultyPeerUnderTest(const PeerOptions& options, FaultyPeer::Blobs blobs)
      : plain_(store_, clock_, random_, EventSink::Null(), {options.capacity}),
        faulty_(plain_, blobs) {}

  FaultyPeer& peer() override { return faulty_; }
  Peer& plain() { return plain_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    plain_.RunDue();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  HeapBlobStore store_;
  FakeClock clock_;
  FakeRandom random_;
  PlainPeer plain_;
  FaultyPeer faulty_;
};

PeerParam Healthy(FaultyPeer::Blobs blobs) {
  PeerParam param;
  param.name = blobs == FaultyPeer::Blobs::kLocal ? "Local" : "Remote";
  param.make = [blobs](const PeerOptions& options) {
    return std::make_unique<FaultyPeerUnderTest>(options, blobs);
  };
  param.sees_writable_mappings = false;
  param.maps_unsealed = blobs == FaultyPeer::Blobs::kLocal;
  return param;
}

const auto kBoth =
    testing::Values(Healthy(FaultyPeer::Blobs::kLocal), Healthy(FaultyPeer::Blobs::kRemote));
INSTANTIATE_TEST_SUITE_P(Healthy, PeerConformance, kBoth, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Healthy, PeerRelocateConformance, kBoth, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Healthy, PeerLookupConformance, kBoth, PeerParam::NameOf);

class FaultyPeerTest : public testing::Test {
 protected:
  AcquireRequest Request(Access access, absl::string_view id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    request.session = SessionId{1};
    if (access == Access::kCreate) request.blob_sizes = {5};
    return request;
  }
  absl::StatusOr<Grant> Acquire(Access access, absl::string_view id) {
    return blocking::Acquire(peer_, Request(access, id));
  }
  absl::StatusOr<Sealed> Seal(const Grant& grant) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = SessionId{1};
    return blocking::Seal(peer_, request);
  }
  void Put(absl::string_view id) {
    ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, id));
    ASSERT_THAT(grant.object->blobs()[0]->Write(0, "bytes"), IsOk());
    ASSERT_THAT(Seal(grant), IsOk());
    LeaseRequest release;
    release.lease_id = grant.lease.id;
    release.session = SessionId{1};
    ASSERT_THAT(blocking::Release(peer_, release), IsOk());
  }
  static absl::Status ReadOf(const Grant& grant) {
    char byte;
    return grant.object->blobs()[0]->Read(0, absl::MakeSpan(&byte, 1)).status();
  }
  ObjectState StateBehind(absl::string_view id) {
    return blocking::Stat(under_test_.plain(), *ObjectId::Parse(id))->state;
  }

  FaultyPeerUnderTest under_test_{{}, FaultyPeer::Blobs::kRemote};
  FaultyPeer& peer_ = under_test_.peer();
};

TEST_F(FaultyPeerTest, FailsCallsOfAKindAsOftenAsTold) {
  peer_.Fail(Call::kCreate, ErrorKind::kCapacity, 2);
  EXPECT_THAT(Acquire(Access::kCreate, "a"), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Acquire(Access::kRead, "a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Acquire(Access::kCreate, "a"), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Acquire(Access::kCreate, "a"), IsOk());
  peer_.Fail(Call::kAny, ErrorKind::kIo);
  EXPECT_THAT(blocking::Stats(peer_), HasKind(ErrorKind::kIo));
  EXPECT_THAT(Acquire(Access::kRead, "b"), HasKind(ErrorKind::kIo));
  peer_.Mend();
  EXPECT_THAT(blocking::Stats(peer_), IsOk());
}

TEST_F(FaultyPeerTest, AFailedCallHasNotHappened) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, "a"));
  peer_.Fail(Call::kSeal, ErrorKind::kIo, 1);
  EXPECT_THAT(Seal(grant), HasKind(ErrorKind::kIo));
  EXPECT_EQ(StateBehind("a"), ObjectState::kCreating);
  EXPECT_EQ(grant.object->state(), ObjectState::kCreating);
  EXPECT_THAT(Seal(grant), IsOk());
  EXPECT_EQ(grant.object->state(), ObjectState::kSealed);
}

TEST_F(FaultyPeerTest, ALostAnswerHidesWhatHasHappened) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, "a"));
  peer_.Lose(Call::kSeal, 1);
  EXPECT_THAT(Seal(grant), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(StateBehind("a"), ObjectState::kSealed);
  EXPECT_EQ(grant.object->state(), ObjectState::kCreating);
}

TEST_F(FaultyPeerTest, NothingReachesAPeerThatIsDown) {
  Put("a");
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(Access::kRead, "a"));
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(Access::kCreate, "b"));
  peer_.GoDown();
  EXPECT_TRUE(peer_.down());
  EXPECT_THAT(Acquire(Access::kRead, "a"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(ReadOf(reader), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(creator.object->blobs()[0]->Write(0, "x"), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(StateBehind("b"), ObjectState::kCreating);
  peer_.ComeBack();
  EXPECT_THAT(ReadOf(reader), IsOk());
  EXPECT_THAT(Seal(creator), IsOk());
}

TEST_F(FaultyPeerTest, GoingDownAnswersWhoeverWaits) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(Access::kCreate, "a"));
  AcquireRequest request = Request(Access::kRead, "a");
  request.wait = absl::Hours(1);
  Pending<absl::StatusOr<Grant>> reader;
  peer_.Acquire(std::move(request), reader.Callback());
  EXPECT_FALSE(reader.IsDone());
  peer_.GoDown();
  ASSERT_TRUE(reader.IsDone());
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kUnavailable));
  peer_.ComeBack();
  EXPECT_THAT(Seal(creator), IsOk());
  EXPECT_EQ(reader.calls(), 1);
}

TEST_F(FaultyPeerTest, ASessionEndsWhenToldSo) {
  ASSERT_THAT(Acquire(Access::kCreate, "a"), IsOk());
  peer_.GoDown();
  peer_.EndSessions();
  peer_.ComeBack();
  EXPECT_THAT(Acquire(Access::kRead, "a"), HasKind(ErrorKind::kNotFound));
}

TEST_F(FaultyPeerTest, HoldsAnswersUntilItLetsThemGo) {
  peer_.Hold(Call::kSeal);
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, "a"));
  std::thread sealer([&] { EXPECT_THAT(Seal(grant), IsOk()); });
  peer_.AwaitHeld(1);
  EXPECT_EQ(StateBehind("a"), ObjectState::kSealed) << "the answer is held, not the call";
  EXPECT_EQ(grant.object->state(), ObjectState::kCreating);
  peer_.LetGo();
  sealer.join();
  EXPECT_EQ(peer_.held(), 0u);
  ASSERT_OK_AND_ASSIGN(Grant next, Acquire(Access::kCreate, "b"));
  EXPECT_THAT(Seal(next), IsOk()) << "nothing is held any more";
}

TEST_F(FaultyPeerTest, GoingDownEndsWhatIsHeld) {
  peer_.Hold();
  Pending<absl::StatusOr<PeerStats>> stats;
  peer_.Stats(stats.Callback());
  EXPECT_FALSE(stats.IsDone());
  peer_.GoDown();
  ASSERT_TRUE(stats.IsDone());
  EXPECT_THAT(stats.Wait(), HasKind(ErrorKind::kUnavailable));
  peer_.LetGo();
  EXPECT_EQ(stats.calls(), 1);
}

TEST_F(FaultyPeerTest, BlobsFailAndLoseAnswersToo) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, "a"));
  peer_.Fail(Call::kBlobWrite, ErrorKind::kCapacity, 1);
  EXPECT_THAT(grant.object->blobs()[0]->Write(0, "x"), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(grant.object->blobs()[0]->Write(0, "x"), IsOk());
  peer_.Fail(Call::kBlobRead, ErrorKind::kCorrupt);
  EXPECT_THAT(ReadOf(grant), HasKind(ErrorKind::kCorrupt));
}

TEST_F(FaultyPeerTest, AWatcherMayDecideBeforeACall) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kCreate, "a"));
  peer_.Watch([this](Call call) {
    if (call == Call::kSeal) peer_.GoDown();
  });
  EXPECT_THAT(grant.object->blobs()[0]->Write(0, "x"), IsOk());
  EXPECT_THAT(Seal(grant), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(StateBehind("a"), ObjectState::kCreating);
}

TEST_F(FaultyPeerTest, CountsAndNamesItsCalls) {
  Put("a");
  Acquire(Access::kRead, "b").IgnoreError();
  EXPECT_EQ(peer_.calls(Call::kCreate), 1u);
  EXPECT_EQ(peer_.calls(), 5u);
  EXPECT_THAT(peer_.log(),
              ElementsAre("create a", "blob_write a", "seal a", "release a", "read b"));
}

}  // namespace
}  // namespace packice
