// A cold tier that fails, and objects that end: what holds whatever moves.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tiered_peer_fixture.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Call = FaultyPeer::Call;
using TieredFaultsTest = TieredPeerFixture;

// --- A cold tier that fails.

TEST_F(TieredFaultsTest, WhileColdIsDownNothingIsSaidToBeMissingAndNewObjectsAreTaken) {
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

TEST_F(TieredFaultsTest, ColdIsProbedLessAndLessOftenUntilItIsBack) {
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

TEST_F(TieredFaultsTest, AFullColdTierIsTriedAgainAndSaysSo) {
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

TEST_F(TieredFaultsTest, AnotherObjectOfTheSameIdInColdIsKeptApart) {
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

TEST_F(TieredFaultsTest, ADiscardReachesBothTiers) {
  Start();
  Put("a", 100);
  Flush();
  EXPECT_THAT(Remove("a"), IsOk());
  EXPECT_FALSE(IsInHot("a"));
  EXPECT_FALSE(IsInCold("a"));
}

TEST_F(TieredFaultsTest, WhatIsDiscardedWhileColdIsDownDoesNotComeBackAlsoAfterARestart) {
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

TEST_F(TieredFaultsTest, AnIdDiscardedWhileColdWasDownCanBeCreatedAnew) {
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

TEST_F(TieredFaultsTest, ADiscardDuringADemotionWins) {
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

TEST_F(TieredFaultsTest, ADiscardDuringAPromotionWins) {
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

TEST_F(TieredFaultsTest, ACopyEndsWithItsOriginal) {
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

TEST_F(TieredFaultsTest, AnObjectGetsAnotherNameWhereverItIs) {
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
