// How objects move between tiers, and what holds whatever moves: step by step, with a cold tier
// that fails as it is told to.
#include "packice/peers/tiered_peer.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/faulty_peer.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/recording_event_sink.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "step_executor.h"
#include "temp_dir.h"

namespace packice {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Call = FaultyPeer::Call;

constexpr SessionId kMine{1'000'001};  // none that NewSessionId gives
constexpr uint64_t kHot = 1000;        // bytes

// What a call has answered by now.
template <typename T>
T Answer(const Pending<T>& call) {
  if (call.IsDone()) return call.Wait();
  return MakeError(ErrorKind::kTimeout, "not answered yet");
}

class TieredPeerTest : public testing::Test {
 protected:
  TieredPeerTest() {
    LocalPeerOptions options;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    cold_ = MakeMemoryPeer(options);
    options_.discard_log = directory_.path() + "/discards";
  }

  // A node: a new hot tier, and the cold one, which outlives it.
  void Start(FaultyPeer::Blobs blobs = FaultyPeer::Blobs::kLocal) {
    tiered_.reset();
    LocalPeerOptions hot;
    hot.capacity = kHot;
    hot.background_reaper = false;
    hot.clock = &clock_;
    hot.random = &random_;
    std::unique_ptr<LocalPeer> memory = MakeMemoryPeer(hot);
    hot_ = memory.get();
    auto faulty = std::make_unique<FaultyPeer>(*cold_, blobs);
    faults_ = faulty.get();
    auto executor = std::make_unique<StepExecutor>();
    moves_ = executor.get();
    TieredPeerOptions options;
    options.write_policy = options_.write_policy;
    options.discard_log = options_.discard_log;
    options.promote_hits = options_.promote_hits;
    options.moves = options_.moves;
    options.executor = std::move(executor);
    options.background = false;
    options.clock = &clock_;
    options.random = &random_;
    options.events = &events_;
    auto opened = TieredPeer::Open(std::move(memory), std::move(faulty), std::move(options));
    ASSERT_THAT(opened, IsOk());
    tiered_ = *std::move(opened);
  }

  static ObjectId Id(absl::string_view id) { return *ObjectId::Parse(id); }
  static AcquireRequest Request(Access access, absl::string_view id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = Id(id);
    request.session = kMine;
    return request;
  }

  absl::StatusOr<Grant> Create(absl::string_view id, uint64_t size) {
    AcquireRequest request = Request(Access::kCreate, id);
    request.blob_sizes = {size};
    return blocking::Acquire(*tiered_, std::move(request));
  }
  // Fills the object and begins to seal it.
  Pending<absl::StatusOr<Sealed>> Seal(const Grant& grant, char fill) {
    Object& object = *grant.object;
    EXPECT_THAT(object.blobs()[0]->Write(0, std::string(object.size(), fill)), IsOk());
    Pending<absl::StatusOr<Sealed>> sealed;
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    tiered_->Seal(request, sealed.Callback());
    return sealed;
  }
  void Release(const Grant& grant) {
    EXPECT_THAT(blocking::Release(*tiered_, {grant.lease.id, kMine, OperationId::kNone}), IsOk());
  }
  void Put(absl::string_view id, uint64_t size, char fill = 'x') {
    const absl::StatusOr<Grant> grant = Create(id, size);
    ASSERT_THAT(grant, IsOk());
    Pending<absl::StatusOr<Sealed>> sealed = Seal(*grant, fill);
    moves_->RunAll();
    EXPECT_THAT(Answer(sealed), IsOk());
    Release(*grant);
  }

  absl::StatusOr<Grant> Read(absl::string_view id) {
    return blocking::Acquire(*tiered_, Request(Access::kRead, id));
  }
  // The first byte, and the lease is over again.
  absl::StatusOr<char> Get(absl::string_view id) {
    const absl::StatusOr<Grant> grant = Read(id);
    if (!grant.ok()) return grant.status();
    char byte = 0;
    const absl::StatusOr<size_t> got = grant->object->blobs()[0]->Read(0, absl::MakeSpan(&byte, 1));
    Release(*grant);
    if (!got.ok()) return got.status();
    return byte;
  }
  absl::Status Remove(absl::string_view id) {
    const absl::StatusOr<Grant> grant = blocking::Acquire(*tiered_, Request(Access::kWrite, id));
    if (!grant.ok()) return grant.status();
    Pending<absl::Status> discarded;
    tiered_->Discard({grant->lease.id, kMine, OperationId::kNone}, discarded.Callback());
    moves_->RunAll();
    return Answer(discarded);
  }
  std::vector<std::string> TiersOf(absl::string_view id) {
    const absl::StatusOr<ObjectInfo> info = blocking::Stat(*tiered_, Id(id));
    EXPECT_THAT(info, IsOk());
    return info.ok() ? info->tiers : std::vector<std::string>();
  }
  bool IsInCold(absl::string_view id) { return blocking::Stat(*cold_, Id(id)).ok(); }
  bool IsInHot(absl::string_view id) { return blocking::Stat(*hot_, Id(id)).ok(); }
  TierStats StatsOf(size_t tier) {
    const absl::StatusOr<PeerStats> stats = blocking::Stats(*tiered_);
    EXPECT_THAT(stats, IsOk());
    return stats->tiers[tier];
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    tiered_->RunDue();
    moves_->RunAll();
  }
  // Cold then has all there is.
  void Flush() {
    Pass(absl::Seconds(30));
    EXPECT_THAT(tiered_->Flush(absl::ZeroDuration()), IsOk());
  }
  // Fills hot with clean objects, so that all others that are clean are evicted.
  void EvictAllThatIsClean() {
    for (int i = 0; i < 12; ++i) {
      Put("filler" + std::to_string(fillers_++), kHot / 10);
      Flush();
    }
  }

  TempDir directory_;
  FakeClock clock_;
  FakeRandom random_;
  RecordingEventSink events_;
  TieredPeerOptions options_;
  std::unique_ptr<LocalPeer> cold_;
  LocalPeer* hot_ = nullptr;
  FaultyPeer* faults_ = nullptr;
  StepExecutor* moves_ = nullptr;
  std::unique_ptr<TieredPeer> tiered_;
  int fillers_ = 0;
};

// --- Demotion.

TEST_F(TieredPeerTest, ANewObjectIsInHotUntilItIsFlushed) {
  Start();
  Put("a", 100);
  EXPECT_THAT(TiersOf("a"), ElementsAre("hot"));
  Pass(absl::Seconds(29));
  EXPECT_FALSE(IsInCold("a"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(TiersOf("a"), ElementsAre("hot", "cold"));
  EXPECT_THAT(events_.KindsOf(Id("a")), Contains(EventKind::kDemoted));
}

TEST_F(TieredPeerTest, AboveHighWaterObjectsAreDemotedDownToLowWaterOldestFirst) {
  Start();
  for (const char* id : {"a", "b", "c", "d", "e"}) Put(id, 100);
  EXPECT_FALSE(IsInCold("a"));
  Put("f", 100);
  for (const char* id : {"a", "b", "c"}) EXPECT_TRUE(IsInCold(id)) << id;
  for (const char* id : {"d", "e", "f"}) EXPECT_FALSE(IsInCold(id)) << id;
}

TEST_F(TieredPeerTest, WhatColdDoesNotHaveIsNeverEvictedFromHot) {
  Start();
  faults_->GoDown();
  for (int i = 0; i < 9; ++i) Put("o" + std::to_string(i), 100);
  EXPECT_EQ(StatsOf(0).queued, 9u);
  for (int i = 0; i < 9; ++i) EXPECT_THAT(Get("o" + std::to_string(i)), IsOkAndHolds('x'));
}

TEST_F(TieredPeerTest, CleanObjectsAreDroppedWithoutACopyAndReadFromCold) {
  Start();
  Put("a", 100, 'a');
  Flush();
  EvictAllThatIsClean();
  ASSERT_FALSE(IsInHot("a"));
  EXPECT_THAT(TiersOf("a"), ElementsAre("cold"));
  EXPECT_THAT(Get("a"), IsOkAndHolds('a'));
}

TEST_F(TieredPeerTest, ACreateWaitsForRoomWhileObjectsAreDemoted) {
  Start();
  for (int i = 0; i < 5; ++i) Put("o" + std::to_string(i), 100);
  // Five more, with no move made meanwhile, and hot is full.
  for (int i = 5; i < 10; ++i) {
    const absl::StatusOr<Grant> grant = Create("o" + std::to_string(i), 100);
    ASSERT_THAT(grant, IsOk());
    EXPECT_THAT(Answer(Seal(*grant, 'x')), IsOk());
    Release(*grant);
  }
  AcquireRequest request = Request(Access::kCreate, "late");
  request.blob_sizes = {100};
  Pending<absl::StatusOr<Grant>> late;
  tiered_->Acquire(std::move(request), late.Callback());
  EXPECT_FALSE(late.IsDone());
  ASSERT_TRUE(moves_->RunOne());
  EXPECT_TRUE(late.IsDone()) << "one demotion makes room";
  EXPECT_THAT(Answer(late), IsOk());
}

TEST_F(TieredPeerTest, ACreateThatWaitedLongEnoughHearsWhyThereIsNoRoom) {
  Start();
  faults_->GoDown();
  for (int i = 0; i < 10; ++i) Put("o" + std::to_string(i), 100);
  AcquireRequest request = Request(Access::kCreate, "late");
  request.blob_sizes = {100};
  Pending<absl::StatusOr<Grant>> late;
  tiered_->Acquire(std::move(request), late.Callback());
  Pass(absl::Seconds(1));
  Pass(absl::Seconds(30));
  ASSERT_TRUE(late.IsDone());
  const absl::StatusOr<Grant> grant = Answer(late);
  EXPECT_THAT(grant, HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(std::string(grant.status().message()), HasSubstr("1000 bytes in 10 objects"));
  EXPECT_THAT(std::string(grant.status().message()), HasSubstr("down"));
}

TEST_F(TieredPeerTest, WhatIsLargerThanHotIsCreatedInCold) {
  Start();
  Put("large", 5 * kHot, 'L');
  EXPECT_THAT(TiersOf("large"), ElementsAre("cold"));
  EXPECT_THAT(Get("large"), IsOkAndHolds('L'));
  EXPECT_THAT(Create("large", 10), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Remove("large"), IsOk());
  EXPECT_THAT(Get("large"), HasKind(ErrorKind::kNotFound));
}

TEST_F(TieredPeerTest, AnObjectIsThereOnceHoweverManyTiersHaveIt) {
  Start();
  for (const char* id : {"a", "b", "c"}) Put(id, 100);
  Flush();
  Put("d", 100);
  const absl::StatusOr<ListPage> page = blocking::List(*tiered_, {});
  ASSERT_THAT(page, IsOk());
  std::vector<std::string> ids;
  for (const ObjectInfo& info : page->objects) {
    ids.emplace_back(info.object_id.bytes());
    EXPECT_EQ(info.leases, 0u) << "the node's own leases do not show";
  }
  EXPECT_THAT(ids, ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(blocking::Stats(*tiered_)->objects, 4u);
}

TEST_F(TieredPeerTest, AnIdThatIsInColdCannotBeCreatedAgain) {
  Start();
  Put("a", 100);
  Flush();
  EvictAllThatIsClean();
  EXPECT_THAT(Create("a", 100), HasKind(ErrorKind::kAlreadyExists));
}

// --- Promotion.

TEST_F(TieredPeerTest, TheSecondReadWithinTheWindowPromotes) {
  Start();
  Put("a", 100, 'a');
  Flush();
  EvictAllThatIsClean();
  EXPECT_THAT(Get("a"), IsOkAndHolds('a'));
  moves_->RunAll();
  EXPECT_FALSE(IsInHot("a"));
  EXPECT_THAT(Get("a"), IsOkAndHolds('a'));
  moves_->RunAll();
  EXPECT_TRUE(IsInHot("a"));
  EXPECT_EQ(StatsOf(0).promotions, 1u);
  EXPECT_THAT(events_.KindsOf(Id("a")), Contains(EventKind::kPromoted));
  EXPECT_EQ(StatsOf(0).queued, 0u) << "what was promoted is clean";
}

TEST_F(TieredPeerTest, ReadsThatAreFarApartDoNotPromote) {
  Start();
  Put("a", 100);
  Flush();
  EvictAllThatIsClean();
  EXPECT_THAT(Get("a"), IsOk());
  clock_.Advance(absl::Seconds(61));
  EXPECT_THAT(Get("a"), IsOk());
  moves_->RunAll();
  EXPECT_FALSE(IsInHot("a"));
}

TEST_F(TieredPeerTest, APromotionIsNotInTheWayOfReadsAndThereIsOnlyOne) {
  options_.promote_hits = 1;
  Start();
  Put("a", 100, 'a');
  Flush();
  EvictAllThatIsClean();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Get("a"), IsOkAndHolds('a'));
  EXPECT_EQ(moves_->waiting(), 1u);
  moves_->RunAll();
  EXPECT_EQ(StatsOf(0).promotions, 1u);
  EXPECT_THAT(Get("a"), IsOkAndHolds('a'));
}

TEST_F(TieredPeerTest, LargeObjectsAreNotPromoted) {
  options_.promote_hits = 1;
  Start();
  Put("a", kHot / 4 + 1);
  Flush();
  EvictAllThatIsClean();
  EXPECT_THAT(Get("a"), IsOk());
  EXPECT_EQ(moves_->waiting(), 0u);
}

TEST_F(TieredPeerTest, BytesThatNoClientCanReachAreReadThroughHot) {
  Start(FaultyPeer::Blobs::kRemote);
  Put("a", 100, 'a');
  Flush();
  EvictAllThatIsClean();
  Pending<absl::StatusOr<Grant>> read;
  tiered_->Acquire(Request(Access::kRead, "a"), read.Callback());
  EXPECT_FALSE(read.IsDone());
  moves_->RunAll();
  ASSERT_TRUE(read.IsDone());
  const absl::StatusOr<Grant> grant = Answer(read);
  ASSERT_THAT(grant, IsOk());
  EXPECT_TRUE(absl::holds_alternative<FdDescriptor>(grant->object->blobs()[0]->Describe()));
}

TEST_F(TieredPeerTest, AnOpenHandleOutlivesEveryMove) {
  Start();
  Put("a", 100, 'a');
  const absl::StatusOr<Grant> hot = Read("a");
  ASSERT_THAT(hot, IsOk());
  Flush();
  EXPECT_THAT(Remove("a"), IsOk());
  char byte = 0;
  EXPECT_THAT(hot->object->blobs()[0]->Read(0, absl::MakeSpan(&byte, 1)), IsOkAndHolds(1u));
  EXPECT_EQ(byte, 'a');
}

// --- Write-through.

TEST_F(TieredPeerTest, WithWriteThroughASealIsAnsweredOnceColdHasTheObject) {
  options_.write_policy = WritePolicy::kThrough;
  Start();
  const absl::StatusOr<Grant> grant = Create("a", 100);
  ASSERT_THAT(grant, IsOk());
  Pending<absl::StatusOr<Sealed>> sealed = Seal(*grant, 'a');
  EXPECT_FALSE(sealed.IsDone());
  moves_->RunAll();
  EXPECT_TRUE(IsInCold("a"));
  EXPECT_THAT(Answer(sealed), IsOk());
}

TEST_F(TieredPeerTest, WithWriteThroughASealThatColdRefusesIsTriedAgainBySealingAgain) {
  options_.write_policy = WritePolicy::kThrough;
  Start();
  faults_->Fail(Call::kSeal, ErrorKind::kIo, 1);
  const absl::StatusOr<Grant> grant = Create("a", 100);
  ASSERT_THAT(grant, IsOk());
  Pending<absl::StatusOr<Sealed>> sealed = Seal(*grant, 'a');
  moves_->RunAll();
  EXPECT_THAT(Answer(sealed), HasKind(ErrorKind::kIo));
  Pending<absl::StatusOr<Sealed>> again;
  SealRequest request;
  request.lease_id = grant->lease.id;
  request.session = kMine;
  tiered_->Seal(request, again.Callback());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Answer(again), IsOk());
  EXPECT_TRUE(IsInCold("a"));
}

TEST_F(TieredPeerTest, ASealWhoseAnswerWasLostIsNotMadeTwice) {
  options_.write_policy = WritePolicy::kThrough;
  Start();
  faults_->Lose(Call::kSeal, 1);
  const absl::StatusOr<Grant> grant = Create("a", 100);
  ASSERT_THAT(grant, IsOk());
  Pending<absl::StatusOr<Sealed>> sealed = Seal(*grant, 'a');
  moves_->RunAll();
  EXPECT_THAT(Answer(sealed), HasKind(ErrorKind::kUnavailable));
  Pass(absl::Seconds(1));
  EXPECT_EQ(StatsOf(0).queued, 0u);
  EXPECT_EQ(faults_->calls(Call::kSeal), 1u);
  EXPECT_THAT(TiersOf("a"), ElementsAre("hot", "cold"));
}

// --- A cold tier that fails.

TEST_F(TieredPeerTest, WhileColdIsDownNothingIsSaidToBeMissingAndNewObjectsAreTaken) {
  Start();
  Put("a", 100, 'a');
  Flush();
  EvictAllThatIsClean();
  faults_->GoDown();
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kUnavailable));
  tiered_->RunDue();
  moves_->RunAll();
  EXPECT_EQ(StatsOf(1).state, TierState::kDown);
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kUnavailable));
  Put("b", 100, 'b');
  EXPECT_THAT(Get("b"), IsOkAndHolds('b'));
  EXPECT_THAT(events_.KindsOf(ObjectId()), ElementsAre(EventKind::kTierDegraded));
}

TEST_F(TieredPeerTest, ColdIsProbedLessAndLessOftenUntilItIsBack) {
  Start();
  faults_->GoDown();
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kUnavailable));
  for (int i = 0; i < 600; ++i) Pass(absl::Milliseconds(100));
  const uint64_t probes = faults_->calls(Call::kStats);
  EXPECT_LE(probes, 20u);
  EXPECT_GE(probes, 7u);
  faults_->ComeBack();
  for (int i = 0; i < 300; ++i) Pass(absl::Milliseconds(100));
  EXPECT_EQ(StatsOf(1).state, TierState::kOk);
  EXPECT_THAT(events_.KindsOf(ObjectId()),
              ElementsAre(EventKind::kTierDegraded, EventKind::kTierRecovered));
}

TEST_F(TieredPeerTest, AFullColdTierIsTriedAgainAndSaysSo) {
  Start();
  faults_->Fail(Call::kCreate, ErrorKind::kCapacity);
  Put("a", 100);
  Pass(absl::Seconds(30));
  EXPECT_EQ(StatsOf(1).state, TierState::kFull);
  faults_->Mend();
  Pass(absl::Minutes(1));
  EXPECT_EQ(StatsOf(1).state, TierState::kOk);
  EXPECT_TRUE(IsInCold("a"));
}

TEST_F(TieredPeerTest, AnotherObjectOfTheSameIdInColdIsKeptApart) {
  Start();
  Put("a", 100, 'a');
  {
    AcquireRequest request = Request(Access::kCreate, "a");
    request.blob_sizes = {100};
    const absl::StatusOr<Grant> theirs = blocking::Acquire(*cold_, std::move(request));
    ASSERT_THAT(theirs, IsOk());
    ASSERT_THAT(blocking::Seal(*cold_, {theirs->lease.id, {}, {}, {}, kMine}), IsOk());
  }
  Pass(absl::Seconds(30));
  EXPECT_THAT(tiered_->Flush(absl::ZeroDuration()), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Get("a"), IsOkAndHolds('a'));
}

// --- Discard.

TEST_F(TieredPeerTest, ADiscardReachesBothTiers) {
  Start();
  Put("a", 100);
  Flush();
  EXPECT_THAT(Remove("a"), IsOk());
  EXPECT_FALSE(IsInHot("a"));
  EXPECT_FALSE(IsInCold("a"));
}

TEST_F(TieredPeerTest, WhatIsDiscardedWhileColdIsDownDoesNotComeBackAlsoAfterARestart) {
  Start();
  Put("a", 100, 'a');
  Flush();
  faults_->GoDown();
  EXPECT_THAT(Remove("a"), IsOk());
  faults_->ComeBack();
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kNotFound));
  ASSERT_TRUE(IsInCold("a"));
  Start();
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(blocking::Stat(*tiered_, Id("a")), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(blocking::List(*tiered_, {})->objects, IsEmpty());
  Pass(absl::Minutes(1));
  EXPECT_FALSE(IsInCold("a"));
  EXPECT_EQ(StatsOf(1).discards_due, 0u);
}

TEST_F(TieredPeerTest, AnIdDiscardedWhileColdWasDownCanBeCreatedAnew) {
  Start();
  Put("a", 100, '1');
  Flush();
  faults_->GoDown();
  EXPECT_THAT(Remove("a"), IsOk());
  Put("a", 100, '2');
  EXPECT_THAT(Get("a"), IsOkAndHolds('2'));
  faults_->ComeBack();
  Pass(absl::Minutes(1));
  Flush();
  EvictAllThatIsClean();
  EXPECT_THAT(Get("a"), IsOkAndHolds('2'));
}

TEST_F(TieredPeerTest, ADiscardDuringADemotionWins) {
  Start();
  const absl::StatusOr<Grant> grant = Create("a", 100);
  ASSERT_THAT(grant, IsOk());
  EXPECT_THAT(Answer(Seal(*grant, 'a')), IsOk());
  clock_.Advance(absl::Minutes(1));
  tiered_->RunDue();
  ASSERT_EQ(moves_->waiting(), 1u);
  Pending<absl::Status> discarded;
  tiered_->Discard({grant->lease.id, kMine, OperationId::kNone}, discarded.Callback());
  EXPECT_FALSE(discarded.IsDone());
  moves_->RunAll();
  EXPECT_THAT(Answer(discarded), IsOk());
  EXPECT_FALSE(IsInCold("a"));
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kNotFound));
}

TEST_F(TieredPeerTest, ADiscardDuringAPromotionWins) {
  options_.promote_hits = 1;
  Start();
  Put("a", 100);
  Flush();
  EvictAllThatIsClean();
  EXPECT_THAT(Get("a"), IsOk());
  ASSERT_EQ(moves_->waiting(), 1u);
  Pending<absl::StatusOr<Grant>> write;
  tiered_->Acquire(Request(Access::kWrite, "a"), write.Callback());
  moves_->RunAll();
  const absl::StatusOr<Grant> grant = Answer(write);
  ASSERT_THAT(grant, IsOk());
  Pending<absl::Status> discarded;
  tiered_->Discard({grant->lease.id, kMine, OperationId::kNone}, discarded.Callback());
  moves_->RunAll();
  EXPECT_THAT(Answer(discarded), IsOk());
  EXPECT_FALSE(IsInHot("a"));
  EXPECT_FALSE(IsInCold("a"));
}

// --- Ends of life, and other names.

TEST_F(TieredPeerTest, ACopyEndsWithItsOriginal) {
  Start();
  AcquireRequest request = Request(Access::kCreate, "a");
  request.blob_sizes = {100};
  request.object_ttl = absl::Minutes(10);
  const absl::StatusOr<Grant> grant = blocking::Acquire(*tiered_, std::move(request));
  ASSERT_THAT(grant, IsOk());
  EXPECT_THAT(Answer(Seal(*grant, 'a')), IsOk());
  Release(*grant);
  Pass(absl::Minutes(1));
  ASSERT_TRUE(IsInCold("a"));
  EXPECT_EQ(blocking::Stat(*cold_, Id("a"))->expires_at,
            blocking::Stat(*hot_, Id("a"))->expires_at);
  clock_.Advance(absl::Minutes(9));
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kNotFound));
}

TEST_F(TieredPeerTest, AnObjectGetsAnotherNameWhereverItIs) {
  Start();
  Put("dirty", 100, 'd');
  Put("clean", 100, 'c');
  const auto rename = [this](absl::string_view from, absl::string_view to) {
    const absl::StatusOr<Grant> grant = blocking::Acquire(*tiered_, Request(Access::kWrite, from));
    EXPECT_THAT(grant, IsOk());
    Pending<absl::Status> moved;
    tiered_->Relocate({grant->lease.id, Id(to), kMine, OperationId::kNone}, moved.Callback());
    moves_->RunAll();
    return Answer(moved);
  };
  EXPECT_THAT(rename("dirty", "d2"), IsOk());
  Flush();
  EXPECT_THAT(rename("clean", "c2"), IsOk());
  EXPECT_THAT(Get("d2"), IsOkAndHolds('d'));
  EXPECT_THAT(Get("c2"), IsOkAndHolds('c'));
  EXPECT_THAT(Get("dirty"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Get("clean"), HasKind(ErrorKind::kNotFound));
  Put("e", 100);
  EXPECT_THAT(rename("c2", "e"), HasKind(ErrorKind::kAlreadyExists));
}

}  // namespace
}  // namespace packice
