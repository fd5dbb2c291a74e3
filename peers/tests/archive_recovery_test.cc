// What a peer finds on a disk where others lived before it, and how it looks at bytes before it
// hands them out.
#include <string>

#include "archive_fixture.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ArchiveTest, WhatWasSealedIsThereAgainAndNothingElse) {
  ASSERT_THAT(Put("a", "a's bytes"), IsOk());
  ASSERT_THAT(Put("b", "b's bytes", absl::Hours(1)), IsOk());
  ASSERT_THAT(Put("gone", "bytes"), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(Grant writer, Write("gone"));
    ASSERT_THAT(Discard(writer), IsOk());
    ASSERT_OK_AND_ASSIGN(Grant unsealed, Written("unsealed", "bytes"));
    ASSERT_OK_AND_ASSIGN(Grant mover, Write("a"));
    ASSERT_THAT(StartMove(mover, "c").Wait(), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(ObjectInfo c, Stat("c"));
  ASSERT_OK_AND_ASSIGN(ObjectInfo b, Stat("b"));
  const uint64_t bytes = 18;
  Start();
  EXPECT_THAT(Ids(), ElementsAre("b", "c"));
  EXPECT_EQ(Stats().bytes, bytes);
  ASSERT_OK_AND_ASSIGN(ObjectInfo again, Stat("c"));
  EXPECT_EQ(again.metadata, c.metadata);
  EXPECT_EQ(again.blob_sizes, c.blob_sizes);
  EXPECT_EQ(again.created_at, c.created_at);
  EXPECT_EQ(again.sealed_at, c.sealed_at);
  EXPECT_EQ(again.state, ObjectState::kSealed);
  EXPECT_EQ(Stat("b")->expires_at, b.expires_at);
  EXPECT_THAT(Get("c"), IsOkAndHolds("a's bytes"));
  EXPECT_THAT(Get("b"), IsOkAndHolds("b's bytes"));
  EXPECT_EQ(disk_.files(), 2u);
}

TEST_F(ArchiveTest, TimeGoesOnWhileNobodyServes) {
  ASSERT_THAT(Put("short", "bytes", absl::Seconds(10)), IsOk());
  ASSERT_THAT(Put("long", "bytes", absl::Seconds(100)), IsOk());
  clock_.Advance(absl::Seconds(50));
  Start();
  EXPECT_THAT(Ids(), ElementsAre("long"));
  EXPECT_THAT(Read("short"), HasKind(ErrorKind::kNotFound));
  AwaitIdle();
  EXPECT_THAT(IdsOnDisk(), ElementsAre("long"));
  Advance(absl::Seconds(51));
  EXPECT_THAT(Ids(), IsEmpty());
}

TEST_F(ArchiveTest, SerialsGoOn) {
  ASSERT_THAT(Put("a", "one"), IsOk());
  Start();
  ASSERT_THAT(Put("b", "two"), IsOk());
  Start();
  EXPECT_THAT(Get("a"), IsOkAndHolds("one"));
  EXPECT_THAT(Get("b"), IsOkAndHolds("two"));
}

// --- Bytes are looked at before they are handed out.

TEST_F(ArchiveTest, TheFirstReaderAfterAStartWaitsForTheCheckAndTheSecondDoesNot) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  disk_.check.Close();
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes")) << "made by this peer";
  Start();
  PendingGrant first = Start(Request(Access::kRead, "a"));
  disk_.check.Await();
  PendingGrant second = Start(Request(Access::kRead, "a"));
  PendingGrant creator = Start(CreateRequest("a", 5));
  EXPECT_FALSE(first.IsDone() || second.IsDone() || creator.IsDone());
  EXPECT_THAT(Stat("a"), IsOk()) << "that needs no bytes";
  disk_.check.Open();
  EXPECT_THAT(first.Wait(), IsOk());
  EXPECT_THAT(second.Wait(), IsOk());
  EXPECT_THAT(creator.Wait(), HasKind(ErrorKind::kAlreadyExists));
  ASSERT_THAT(Release(*first.Wait()), IsOk());
  ASSERT_THAT(Release(*second.Wait()), IsOk());
  disk_.check.Close();
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
  disk_.check.Open();
}

TEST_F(ArchiveTest, DamagedObjectsAreSetAsideAndTheOthersServed) {
  for (const char* id : {"lost", "cut", "whole"}) ASSERT_THAT(Put(id, "bytes"), IsOk());
  Start();
  disk_.LoseFile("lost");
  disk_.CutFile("cut");
  EXPECT_THAT(Read("lost"), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(Write("cut"), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(Get("whole"), IsOkAndHolds("bytes"));
  EXPECT_THAT(Ids(), ElementsAre("whole"));
  EXPECT_THAT(IdsOnDisk(), ElementsAre("whole"));
  EXPECT_EQ(Stats().quarantined, 2u);
  EXPECT_EQ(Stats().bytes, 5u);
  EXPECT_THAT(events_.KindsOf(Id("cut")), testing::Contains(EventKind::kQuarantined));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("\"lost\" is damaged: its file is gone"),
                                   HasSubstr("\"cut\" is damaged")));
  EXPECT_THAT(Put("lost", "again"), IsOk()) << "the id is free";
}

TEST_F(ArchiveTest, FlippedBitsAreFoundByWhoVerifiesReads) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_THAT(Put("b", "bytes"), IsOk());
  disk_.FlipByte("a");
  Start();
  EXPECT_THAT(Get("a"), IsOkAndHolds("!ytes")) << "not looked for";
  verify_reads_ = true;
  Start();
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(Get("b"), IsOkAndHolds("bytes"));
  EXPECT_EQ(Stats().quarantined, 1u);
  // Each time anew.
  disk_.FlipByte("b");
  EXPECT_THAT(Read("b"), HasKind(ErrorKind::kCorrupt));
}

TEST_F(ArchiveTest, ACheckThatCannotBeMadeFailsTheReadersAndIsMadeAgain) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  Start();
  disk_.Break(ErrorKind::kIo, 1);
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kIo));
  EXPECT_EQ(Stats().quarantined, 0u);
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_F(ArchiveTest, AnObjectNobodyWantsAnyMoreOnceItIsCheckedIsAtRest) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  capacity_ = 5;
  Start();
  disk_.check.Close();
  PendingGrant reader = Start(Request(Access::kRead, "a"));
  disk_.check.Await();
  PendingGrant creator = Start(CreateRequest("b", 5));
  peer_->EndSession(kMine);
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kUnavailable));
  disk_.check.Open();
  AwaitIdle();
  EXPECT_THAT(Acquire(CreateRequest("c", 5)), IsOk()) << "it can be evicted again";
}

TEST_F(ArchiveTest, SuspectsAreCheckedUnlessSomebodyHasThem) {
  for (const char* id : {"held", "bad", "good"}) ASSERT_THAT(Put(id, "bytes"), IsOk());
  Start();
  ASSERT_OK_AND_ASSIGN(Grant holder, Read("held"));
  disk_.CutFile("held");
  disk_.CutFile("bad");
  peer_->CheckObjects({1, 2, 3});
  EXPECT_THAT(Ids(), ElementsAre("good", "held"));
  EXPECT_EQ(Stats().quarantined, 1u);
  EXPECT_THAT(Get("good"), IsOkAndHolds("bytes"));
}

}  // namespace
}  // namespace packice
