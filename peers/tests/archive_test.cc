// What an archive is asked, when, and what others see meanwhile.
#include <string>

#include "archive_fixture.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// --- Seal.

TEST_F(ArchiveTest, AnObjectIsVisibleOnlyOnceItIsCommitted) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("a", "bytes"));
  disk_.add.Close();
  auto sealed = StartSeal(creator);
  disk_.add.Await();
  EXPECT_FALSE(sealed.IsDone());
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.state, ObjectState::kCreating);
  AcquireRequest waiting = Request(Access::kRead, "a");
  waiting.wait = absl::Hours(1);
  PendingGrant reader = Start(waiting);
  EXPECT_FALSE(reader.IsDone());
  EXPECT_THAT(Discard(creator), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kBusy));

  disk_.add.Open();
  ASSERT_THAT(sealed.Wait(), IsOk());
  EXPECT_THAT(IdsOnDisk(), ElementsAre("a"));
  EXPECT_THAT(reader.Wait(), IsOk());
}

TEST_F(ArchiveTest, ASealThatIsNotCommittedLeavesTheObjectAsItWas) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("a", "bytes"));
  disk_.Break(ErrorKind::kIo, 1);
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kIo));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(IdsOnDisk(), IsEmpty());
  EXPECT_THAT(Seal(creator), IsOk()) << "once the fault is over";
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_F(ArchiveTest, AnObjectWhoseSealFailedLeavesNothingBehind) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("a", "bytes"));
  disk_.Break(ErrorKind::kIo);
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kIo));
  ASSERT_THAT(Release(creator), IsOk());
  creator = Grant();
  AwaitIdle();
  EXPECT_EQ(disk_.files(), 0u);
  EXPECT_EQ(Stats().bytes, 0u);
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_F(ArchiveTest, ALeaseThatEndsWhileItsSealIsCommittedLeavesTheObjectSealed) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("a", "bytes"));
  disk_.add.Close();
  auto sealed = StartSeal(creator);
  disk_.add.Await();
  peer_->EndSession(kMine);
  EXPECT_EQ(Stats().create_leases, 0u);
  disk_.add.Open();
  EXPECT_THAT(sealed.Wait(), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
  EXPECT_EQ(Stats().bytes, 5u);
  EXPECT_EQ(Stat("a")->leases, 0u);
}

TEST_F(ArchiveTest, ALeaseThatEndsWhileItsSealFailsTakesTheObjectAlong) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("a", "bytes"));
  disk_.add.Close();
  auto sealed = StartSeal(creator);
  disk_.add.Await();
  disk_.Break(ErrorKind::kIo);
  peer_->EndSession(kMine);
  disk_.add.Open();
  EXPECT_THAT(sealed.Wait(), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  creator = Grant();
  AwaitIdle();
  EXPECT_EQ(disk_.files(), 0u);
  EXPECT_EQ(Stats().bytes, 0u);
}

TEST_F(ArchiveTest, CommitsOfManyObjectsRunAtTheSameTime) {
  std::vector<Grant> creators;
  std::vector<Pending<absl::StatusOr<Sealed>>> seals;
  for (int i = 0; i < 6; ++i) {
    ASSERT_OK_AND_ASSIGN(Grant creator, Written(absl::StrCat("a", i), "bytes"));
    creators.push_back(creator);
  }
  disk_.add.Close();
  for (const Grant& creator : creators) seals.push_back(StartSeal(creator));
  disk_.add.Await(6);
  disk_.add.Open();
  for (const auto& sealed : seals) EXPECT_THAT(sealed.Wait(), IsOk());
}

// --- Discard.

TEST_F(ArchiveTest, DiscardAnswersOnceItIsCommitted) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.remove.Close();
  auto discarded = StartDiscard(writer);
  disk_.remove.Await();
  EXPECT_FALSE(discarded.IsDone());
  EXPECT_THAT(Ids(), ElementsAre("a"));
  // Whoever wants it now waits for what comes of it, and no longer.
  PendingGrant reader = Start(Request(Access::kRead, "a", kOther));
  PendingGrant creator = Start(CreateRequest("a", 3));
  EXPECT_FALSE(reader.IsDone());
  EXPECT_FALSE(creator.IsDone());
  EXPECT_THAT(Discard(writer), HasKind(ErrorKind::kBusy));

  disk_.remove.Open();
  EXPECT_THAT(discarded.Wait(), IsOk());
  EXPECT_THAT(IdsOnDisk(), IsEmpty());
  EXPECT_THAT(creator.Wait(), IsOk());
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotSealed)) << "of the next one";
}

TEST_F(ArchiveTest, ADiscardThatIsNotCommittedChangesNothing) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.remove.Close();
  auto discarded = StartDiscard(writer);
  disk_.remove.Await();
  PendingGrant reader = Start(Request(Access::kRead, "a", kOther));
  PendingGrant creator = Start(CreateRequest("a", 3));
  disk_.Break(ErrorKind::kIo, 1);
  disk_.remove.Open();
  EXPECT_THAT(discarded.Wait(), HasKind(ErrorKind::kIo));
  ASSERT_OK_AND_ASSIGN(Grant granted, reader.Wait());
  EXPECT_EQ(BytesOf(granted), "bytes");
  EXPECT_THAT(creator.Wait(), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_EQ(Stat("a")->leases, 2u) << "the writer's goes on";
  EXPECT_THAT(Discard(writer), IsOk());
  EXPECT_THAT(Ids(), IsEmpty());
  EXPECT_EQ(BytesOf(granted), "bytes");
}

TEST_F(ArchiveTest, BytesGoWithTheLastLeaseAndTheLastWhoSharesTheObject) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  {
    ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
    ASSERT_THAT(Discard(writer), IsOk());
  }
  EXPECT_EQ(disk_.files(), 1u);
  EXPECT_EQ(Stats().bytes, 5u);
  ASSERT_THAT(Release(reader), IsOk());
  AwaitIdle();
  EXPECT_EQ(Stats().bytes, 0u);
  EXPECT_EQ(BytesOf(reader), "bytes") << "shared without a lease";
  reader = Grant();
  AwaitIdle();
  EXPECT_EQ(disk_.files(), 0u);
}

TEST_F(ArchiveTest, ALeaseThatEndsWhileItsDiscardIsCommittedChangesNothingOfIt) {
  for (const bool fails : {false, true}) {
    ASSERT_THAT(Put("a", "bytes"), IsOk());
    ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
    disk_.remove.Close();
    auto discarded = StartDiscard(writer);
    disk_.remove.Await();
    ASSERT_THAT(Release(writer), IsOk());
    if (fails) disk_.Break(ErrorKind::kIo, 1);
    disk_.remove.Open();
    EXPECT_EQ(discarded.Wait().ok(), !fails);
    EXPECT_EQ(Stats().objects, fails ? 1u : 0u);
    EXPECT_EQ(Stats().bytes, fails ? 5u : 0u);
    EXPECT_EQ(Stats().write_leases, 0u);
    if (fails) {
      EXPECT_EQ(Stat("a")->leases, 0u);
    }
  }
}

TEST_F(ArchiveTest, ThoseWhoWaitForAChangeCanBeCancelledAndEndWithTheirSession) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.remove.Close();
  auto discarded = StartDiscard(writer);
  disk_.remove.Await();
  AcquireRequest request = Request(Access::kRead, "a");
  request.operation = OperationId{77};
  PendingGrant cancelled = Start(request);
  PendingGrant ended = Start(Request(Access::kRead, "a", kOther));
  peer_->Cancel(OperationId{77});
  EXPECT_THAT(cancelled.Wait(), HasKind(ErrorKind::kTimeout));
  peer_->EndSession(kOther);
  EXPECT_THAT(ended.Wait(), HasKind(ErrorKind::kUnavailable));
  disk_.Break(ErrorKind::kIo, 1);
  disk_.remove.Open();
  EXPECT_THAT(discarded.Wait(), HasKind(ErrorKind::kIo));
  AwaitIdle();
  EXPECT_EQ(Stats().read_leases, 0u);
}

// --- One id after another.

TEST_F(ArchiveTest, ChangesToOneIdReachTheArchiveInOrder) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(Put("a", absl::StrCat("bytes ", i)), IsOk());
    ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
    ASSERT_THAT(Discard(writer), IsOk());
  }
  EXPECT_THAT(disk_.log(),
              ElementsAre("add a", "remove a", "add a", "remove a", "add a", "remove a"));
}

TEST_F(ArchiveTest, OfTwoWritersOfOneIdOnlyOneCommits) {
  ASSERT_OK_AND_ASSIGN(Grant first, Written("a", "first"));
  disk_.add.Close();
  auto sealed = StartSeal(first);
  disk_.add.Await();
  EXPECT_THAT(Acquire(CreateRequest("a", 6)), HasKind(ErrorKind::kBusy));
  AcquireRequest request = CreateRequest("a", 6);
  request.wait = absl::Hours(1);
  PendingGrant second = Start(request);
  disk_.add.Open();
  EXPECT_THAT(sealed.Wait(), IsOk());
  EXPECT_THAT(second.Wait(), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(disk_.log(), ElementsAre("add a"));
}

// --- The object's own TTL.

TEST_F(ArchiveTest, AnExpiredObjectIsGoneAtOnceAndFromTheArchiveSoon) {
  ASSERT_THAT(Put("a", "old", absl::Seconds(10)), IsOk());
  disk_.remove.Close();
  clock_.Advance(absl::Seconds(11));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  disk_.remove.Await();
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  // Its successor need not wait for that.
  ASSERT_THAT(Put("a", "new"), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("new"));
  EXPECT_EQ(Stats().bytes, 6u);
  disk_.remove.Open();
  AwaitIdle();
  EXPECT_EQ(Stats().bytes, 3u);
  EXPECT_EQ(disk_.files(), 1u);
  EXPECT_THAT(IdsOnDisk(), ElementsAre("a"));
  EXPECT_THAT(Get("a"), IsOkAndHolds("new"));
}

TEST_F(ArchiveTest, WhatCannotBeRemovedWhenItExpiresIsTriedAgain) {
  ASSERT_THAT(Put("a", "bytes", absl::Seconds(10)), IsOk());
  disk_.Break(ErrorKind::kIo);
  Advance(absl::Seconds(11));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(IdsOnDisk(), ElementsAre("a"));
  EXPECT_EQ(disk_.files(), 1u);
  EXPECT_EQ(Stats().bytes, 5u) << "it still takes up the room";
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("cannot be removed")));
  disk_.Break(absl::nullopt);
  Advance(absl::Minutes(1));
  EXPECT_THAT(IdsOnDisk(), IsEmpty());
  EXPECT_EQ(disk_.files(), 0u);
  EXPECT_EQ(Stats().bytes, 0u);
  EXPECT_EQ(Stats().expired_objects, 1u);
}

TEST_F(ArchiveTest, AnObjectThatExpiresWhileLeasedKeepsItsBytesForTheHolder) {
  ASSERT_THAT(Put("a", "bytes", absl::Seconds(10)), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  Advance(absl::Seconds(11));
  EXPECT_THAT(IdsOnDisk(), IsEmpty());
  EXPECT_EQ(BytesOf(reader), "bytes");
  EXPECT_EQ(Stats().bytes, 5u);
  ASSERT_THAT(Release(reader), IsOk());
  reader = Grant();
  AwaitIdle();
  EXPECT_EQ(disk_.files(), 0u);
  EXPECT_EQ(Stats().bytes, 0u);
}

TEST_F(ArchiveTest, AnObjectThatExpiresDuringAChangeGoesAfterIt) {
  ASSERT_THAT(Put("a", "bytes", absl::Seconds(10)), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.remove.Close();
  auto discarded = StartDiscard(writer);
  disk_.remove.Await();
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound)) << "its time is over";
  PendingGrant reader = Start(Request(Access::kRead, "a"));
  disk_.Break(ErrorKind::kIo, 1);
  disk_.remove.Open();
  EXPECT_THAT(discarded.Wait(), HasKind(ErrorKind::kIo));
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotFound));
  AwaitIdle();
  EXPECT_THAT(Ids(), IsEmpty());
  EXPECT_EQ(Stats().expired_objects, 1u);
}

// --- The end.

TEST_F(ArchiveTest, WhatIsUnderWayAtTheEndIsFinishedAndAnswered) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("a", "bytes"));
  auto sealed = StartSeal(creator);
  AcquireRequest request = Request(Access::kWrite, "b");
  PendingGrant creating = Start(CreateRequest("b", 5));
  creator = Grant();
  peer_.reset();
  EXPECT_THAT(sealed.Wait(), IsOk());
  EXPECT_EQ(sealed.calls(), 1);
  EXPECT_TRUE(creating.IsDone());
  EXPECT_EQ(creating.calls(), 1);
  EXPECT_THAT(IdsOnDisk(), ElementsAre("a"));
}

}  // namespace
}  // namespace packice
