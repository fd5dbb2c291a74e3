// How objects move between tiers, step by step.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tiered_peer_fixture.h"

namespace packice {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

using Call = FaultyPeer::Call;
using TieredPeerTest = TieredPeerFixture;

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

}  // namespace
}  // namespace packice
