// Acquires that wait: what they wait for, in which order, and all the ways it ends. See
// peer_conformance.h.
#include <string>
#include <vector>

#include "packice/core/testing/peer_fixture.h"

namespace packice {

// --- What is waited out, and what is not.

TEST_P(PeerConformance, AWaitingReadIsGrantedWhenTheCreatorSeals) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  Waiting reader = StartAcquire(Request(Access::kRead, "a"));
  EXPECT_TRUE(StillWaits(reader));
  EXPECT_EQ(WaitingCalls(), 1u);
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant grant, reader.Wait());
  EXPECT_EQ(grant.object->state(), ObjectState::kSealed);
  EXPECT_EQ(BytesOf(grant), "bytes");
  EXPECT_EQ(WaitingCalls(), 0u);
}

TEST_P(PeerConformance, AllWaitingReadsAreGrantedWhenTheCreatorSeals) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  std::vector<Waiting> readers;
  for (int i = 0; i < 5; ++i) readers.push_back(StartAcquire(Request(Access::kRead, "a")));
  EXPECT_EQ(WaitingCalls(), 5u);
  ASSERT_THAT(Seal(creator), IsOk());
  for (Waiting& reader : readers) EXPECT_THAT(reader.Wait(), IsOk());
}

TEST_P(PeerConformance, AWaitingReadIsNotFoundWhenTheObjectGoesAway) {
  for (const auto& [name, ending] : Endings()) {
    SCOPED_TRACE(name);
    Grant creator = CreateToEnd("a", ending);
    Waiting reader = StartAcquire(Request(Access::kRead, "a"));
    EXPECT_TRUE(StillWaits(reader));
    (this->*ending)(creator);
    if (GetParam().waits_for_what_is_elsewhere) {
      EXPECT_TRUE(StillWaits(reader));
      Advance(absl::Hours(1));
      EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kTimeout));
      continue;
    }
    EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotFound));
  }
}

TEST_P(PeerConformance, AWaitingCreateIsGrantedWhenTheObjectGoesAway) {
  for (const auto& [name, ending] : Endings()) {
    SCOPED_TRACE(name);
    Grant creator = CreateToEnd("a", ending);
    Waiting next = StartAcquire(CreateRequest("a", 7));
    EXPECT_TRUE(StillWaits(next));
    (this->*ending)(creator);
    ASSERT_OK_AND_ASSIGN(Grant grant, next.Wait());
    EXPECT_EQ(grant.object->state(), ObjectState::kCreating);
    EXPECT_EQ(grant.object->size(), 7u);
    EXPECT_THAT(Release(grant), IsOk());
  }
}

TEST_P(PeerConformance, AWaitingCreateAlreadyExistsWhenTheCreatorSeals) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Waiting next = StartAcquire(CreateRequest("a", 1));
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(next.Wait(), HasKind(ErrorKind::kAlreadyExists));
}

TEST_P(PeerConformance, AWaitingWriteIsGrantedWhenTheCreatorSeals) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Waiting writer = StartAcquire(Request(Access::kWrite, "a"));
  EXPECT_TRUE(StillWaits(writer));
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(writer.Wait(), IsOk());
}

TEST_P(PeerConformance, AWaitingWriteIsGrantedWhenTheOtherWriterReleases) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant first, Write("a"));
  Waiting second = StartAcquire(Request(Access::kWrite, "a"));
  EXPECT_TRUE(StillWaits(second));
  ASSERT_THAT(Release(first), IsOk());
  EXPECT_THAT(second.Wait(), IsOk());
}

TEST_P(PeerConformance, AWaitingWriteIsNotFoundWhenTheOtherWriterDiscards) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant first, Write("a"));
  Waiting second = StartAcquire(Request(Access::kWrite, "a"));
  ASSERT_THAT(Discard(first), IsOk());
  EXPECT_THAT(second.Wait(), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, OnlyBusyAndNotSealedAreWaitedOut) {
  if (!GetParam().waits_for_what_is_elsewhere) {
    EXPECT_THAT(StartAcquire(Request(Access::kRead, "a")).Wait(), HasKind(ErrorKind::kNotFound));
  }
  EXPECT_THAT(StartAcquire(Request(Access::kWrite, "a")).Wait(), HasKind(ErrorKind::kNotFound));
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  EXPECT_THAT(StartAcquire(CreateRequest("a", 1)).Wait(), HasKind(ErrorKind::kAlreadyExists));
}

TEST_P(PeerConformance, WhatStandsInNobodysWayDoesNotWait) {
  EXPECT_THAT(StartAcquire(CreateRequest("b", 1)).Wait(), IsOk());
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  EXPECT_THAT(StartAcquire(Request(Access::kRead, "a")).Wait(), IsOk());
  EXPECT_EQ(WaitingCalls(), 0u);
}

// --- Order.

TEST_P(PeerConformance, WaitingCreatesComeFirstComeFirstServed) {
  ASSERT_OK_AND_ASSIGN(Grant holder, Create("a", 0));
  std::vector<Waiting> waiting;
  for (uint64_t i = 0; i < 4; ++i) waiting.push_back(StartAcquire(CreateRequest("a", i)));
  for (size_t i = 0; i < waiting.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_THAT(Release(holder), IsOk());
    ASSERT_OK_AND_ASSIGN(holder, waiting[i].Wait());
    EXPECT_EQ(holder.object->size(), i);
    for (size_t j = i + 1; j < waiting.size(); ++j) EXPECT_TRUE(StillWaits(waiting[j]));
  }
}

TEST_P(PeerConformance, WaitingWritesComeFirstComeFirstServed) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant holder, Write("a"));
  std::vector<Waiting> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(StartAcquire(Request(Access::kWrite, "a")));
  for (size_t i = 0; i < waiting.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_THAT(Release(holder), IsOk());
    ASSERT_OK_AND_ASSIGN(holder, waiting[i].Wait());
    for (size_t j = i + 1; j < waiting.size(); ++j) EXPECT_TRUE(StillWaits(waiting[j]));
  }
}

TEST_P(PeerConformance, AReadBehindAWaitingCreateWaitsForThatOnesSeal) {
  ASSERT_OK_AND_ASSIGN(Grant first, Create("a", 0));
  Waiting second = StartAcquire(CreateRequest("a", 3));
  Waiting reader = StartAcquire(Request(Access::kRead, "a"));
  ASSERT_THAT(Release(first), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, second.Wait());
  EXPECT_TRUE(StillWaits(reader)) << "the object is still being created";
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "new"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant grant, reader.Wait());
  EXPECT_EQ(BytesOf(grant), "new");
}

// --- How a wait ends otherwise.

TEST_P(PeerConformance, AWaitEndsInTimeout) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Waiting reader = StartAcquire(Request(Access::kRead, "a"), absl::Seconds(10));
  Waiting next = StartAcquire(CreateRequest("a", 0), absl::Seconds(20));
  Advance(absl::Seconds(9));
  EXPECT_TRUE(StillWaits(reader));
  Advance(absl::Seconds(2));
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kTimeout));
  EXPECT_TRUE(StillWaits(next));
  Advance(absl::Seconds(10));
  EXPECT_THAT(next.Wait(), HasKind(ErrorKind::kTimeout));
  EXPECT_EQ(WaitingCalls(), 0u);
  EXPECT_THAT(Seal(creator), IsOk()) << "who was waited for is not disturbed";
}

TEST_P(PeerConformance, WhoTimedOutLosesHisTurn) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Waiting impatient = StartAcquire(CreateRequest("a", 1), absl::Seconds(10));
  Waiting patient = StartAcquire(CreateRequest("a", 2));
  Advance(absl::Seconds(11));
  EXPECT_THAT(impatient.Wait(), HasKind(ErrorKind::kTimeout));
  ASSERT_THAT(Release(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant grant, patient.Wait());
  EXPECT_EQ(grant.object->size(), 2u);
}

TEST_P(PeerConformance, CancelEndsAWaitInTimeout) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  AcquireRequest request = Request(Access::kRead, "a");
  request.operation = NewOperationId();
  Waiting cancelled = StartAcquire(request);
  AcquireRequest other = Request(Access::kRead, "a");
  other.operation = NewOperationId();
  Waiting stays = StartAcquire(other);

  peer().Cancel(request.operation);
  EXPECT_THAT(cancelled.Wait(), HasKind(ErrorKind::kTimeout));
  EXPECT_TRUE(StillWaits(stays));
  peer().Cancel(request.operation);  // over: nothing happens
  peer().Cancel(NewOperationId());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(stays.Wait(), IsOk());
  EXPECT_EQ(cancelled.calls(), 1);
  EXPECT_TRUE(Eventually([&] { return GetStats().read_leases == 1; }))
      << "a cancelled wait leaves no lease behind";
}

TEST_P(PeerConformance, TheEndOfASessionEndsItsWaits) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Waiting ended = StartAcquire(Request(Access::kRead, "a", kOther));
  Waiting stays = StartAcquire(Request(Access::kRead, "a", kMine));
  peer().EndSession(kOther);
  EXPECT_THAT(ended.Wait(), HasKind(ErrorKind::kUnavailable));
  EXPECT_TRUE(StillWaits(stays));
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(stays.Wait(), IsOk());
  EXPECT_TRUE(Eventually([&] { return GetStats().read_leases == 1; }));
}

TEST_P(PeerConformance, DestroyingThePeerEndsWaitsAsUnavailable) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Waiting waiting = StartAcquire(Request(Access::kRead, "a"));
  creator = Grant();
  under_test_.reset();
  ASSERT_TRUE(waiting.IsDone());
  EXPECT_THAT(waiting.Wait(), HasKind(ErrorKind::kUnavailable));
}

TEST_P(PeerConformance, AWaitIsAnsweredExactlyOnce) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  AcquireRequest request = Request(Access::kRead, "a", kOther);
  request.operation = NewOperationId();
  Waiting reader = StartAcquire(request, absl::Seconds(10));
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_THAT(reader.Wait(), IsOk());
  peer().Cancel(request.operation);
  Advance(absl::Seconds(11));
  peer().EndSession(kOther);
  EXPECT_TRUE(Eventually([&] { return GetStats().read_leases == 0; }));
  EXPECT_EQ(reader.calls(), 1);
}

TEST_P(PeerConformance, TheCallbackOfAWaitMayCallThePeerAgain) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Pending<absl::Status> released;
  AcquireRequest request = Request(Access::kRead, "a");
  request.wait = absl::Hours(1);
  peer().Acquire(request, [&](absl::StatusOr<Grant> grant) {
    ASSERT_THAT(grant, IsOk());
    peer().Release(Of(*grant, kMine), released.Callback());
  });
  ASSERT_TRUE(Eventually([&] { return WaitingCalls() == 1; }));
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(released.Wait(), IsOk());
  EXPECT_EQ(GetStats().read_leases, 0u);
}

TEST_P(PeerConformance, TheTtlOfAWaitingAcquireRunsFromItsGrant) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  AcquireRequest request = Request(Access::kRead, "a");
  request.ttl = absl::Seconds(10);
  Waiting reader = StartAcquire(request);
  Advance(absl::Seconds(60));
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant grant, reader.Wait());
  Advance(absl::Seconds(9));
  EXPECT_THAT(Renew(grant, absl::Seconds(10)), IsOk());
  Advance(absl::Seconds(11));
  EXPECT_THAT(Renew(grant, absl::Seconds(10)), HasKind(ErrorKind::kLeaseExpired));
}

}  // namespace packice
