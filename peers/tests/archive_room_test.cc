// Room on a medium that remembers: what is evicted, that it is really gone, and what happens when
// the medium is full of less than the capacity, or will not let go.
#include <string>

#include "archive_fixture.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ArchiveRoomTest : public ArchiveTest {
 protected:
  ArchiveRoomTest() {
    capacity_ = kCapacity;
    Start();
  }
  static std::string Bytes(size_t count) { return std::string(count, 'x'); }
};

TEST_F(ArchiveRoomTest, AnEvictedObjectLeavesTheArchiveFirstAndThenTheDisk) {
  ASSERT_THAT(Put("a", Bytes(600)), IsOk());
  disk_.remove.Close();
  PendingGrant creator = Start(CreateRequest("b", 600));
  disk_.remove.Await();
  EXPECT_THAT(Ids(), ElementsAre("a", "b"));
  EXPECT_EQ(disk_.files(), 1u);
  PendingGrant reader = Start(Request(Access::kRead, "a"));
  EXPECT_FALSE(reader.IsDone());
  disk_.remove.Open();
  EXPECT_THAT(creator.Wait(), IsOk());
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(disk_.files(), 1u) << "the new one's";
  EXPECT_EQ(Stats().bytes, 600u);
  EXPECT_EQ(Stats().evictions, 1u);
}

TEST_F(ArchiveRoomTest, AnObjectThatCannotBeEvictedStaysAndIsServed) {
  ASSERT_THAT(Put("a", Bytes(300)), IsOk());
  ASSERT_THAT(Put("b", Bytes(300)), IsOk());
  disk_.Break(ErrorKind::kIo);
  EXPECT_THAT(Acquire(CreateRequest("c", 600)), HasKind(ErrorKind::kIo));
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_EQ(Stats().bytes, 600u);
  EXPECT_THAT(Get("a"), IsOkAndHolds(Bytes(300)));
  EXPECT_THAT(Get("b"), IsOkAndHolds(Bytes(300)));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("cannot be evicted")));
  disk_.Break(absl::nullopt);
  EXPECT_THAT(Acquire(CreateRequest("c", 600)), IsOk()) << "once the fault is over";
  EXPECT_EQ(Stats().evictions, 1u);
}

TEST_F(ArchiveRoomTest, RoomThatOthersAreMakingIsWaitedFor) {
  ASSERT_THAT(Put("a", Bytes(500)), IsOk());
  ASSERT_THAT(Put("b", Bytes(500)), IsOk());
  disk_.remove.Close();
  PendingGrant first = Start(CreateRequest("c", 100));
  disk_.remove.Await();
  // The one victim has room for both.
  PendingGrant second = Start(CreateRequest("d", 100));
  EXPECT_FALSE(second.IsDone());
  disk_.remove.Open();
  EXPECT_THAT(first.Wait(), IsOk());
  EXPECT_THAT(second.Wait(), IsOk());
  EXPECT_EQ(Stats().evictions, 1u);
}

TEST_F(ArchiveRoomTest, TheRoomOfWhatHasExpiredIsTakenBeforeAnythingIsEvicted) {
  ASSERT_THAT(Put("a", Bytes(500), absl::Seconds(10)), IsOk());
  ASSERT_THAT(Put("b", Bytes(500)), IsOk());
  disk_.remove.Close();
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  disk_.remove.Await();
  PendingGrant creator = Start(CreateRequest("c", 400));
  EXPECT_FALSE(creator.IsDone());
  disk_.remove.Open();
  EXPECT_THAT(creator.Wait(), IsOk());
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_EQ(Stats().bytes, 900u);
}

// --- A medium that is full of less than the capacity.

TEST_F(ArchiveRoomTest, AFullMediumEvictsUntilThereIsRoom) {
  disk_.SetRoom(500);
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_THAT(Put(id, Bytes(100)), IsOk());
  ASSERT_THAT(Acquire(CreateRequest("e", 250)), IsOk());
  EXPECT_EQ(Stats().evictions, 2u);
  EXPECT_THAT(Ids(), ElementsAre("c", "d", "e"));
}

TEST_F(ArchiveRoomTest, AMediumThatStaysFullIsGivenUpBeforeAllIsEvicted) {
  for (int i = 0; i < 9; ++i) ASSERT_THAT(Put(absl::StrCat(i), Bytes(100)), IsOk());
  // Somebody shares the oldest without a lease: taking it out frees nothing.
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("0"));
  ASSERT_THAT(Release(reader), IsOk());
  for (int i = 1; i < 9; ++i) ASSERT_THAT(Get(absl::StrCat(i)), IsOk());
  disk_.BreakCreate(ErrorKind::kCapacity);
  EXPECT_THAT(Acquire(CreateRequest("a", 50)), HasKind(ErrorKind::kCapacity));
  EXPECT_EQ(Stats().evictions, 1u);
  EXPECT_EQ(BytesOf(reader), Bytes(100));
  disk_.BreakCreate(absl::nullopt);
  EXPECT_THAT(Acquire(CreateRequest("a", 50)), IsOk());
}

TEST_F(ArchiveRoomTest, AFullMediumThatWillNotLetGoIsNoCapacity) {
  ASSERT_THAT(Put("a", Bytes(100)), IsOk());
  disk_.SetRoom(150);
  disk_.Break(ErrorKind::kCapacity);
  EXPECT_THAT(Acquire(CreateRequest("b", 100)), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Get("a"), IsOkAndHolds(Bytes(100)));
  EXPECT_THAT(Stat("b"), HasKind(ErrorKind::kNotFound));
}

TEST_F(ArchiveRoomTest, ASealThatFindsNoRoomToCommitMakesSome) {
  ASSERT_THAT(Put("a", Bytes(100)), IsOk());
  ASSERT_THAT(Put("b", Bytes(100)), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Written("c", Bytes(100)));
  // The first commit fails; the removal and the second one do not.
  disk_.Break(ErrorKind::kCapacity, 1);
  EXPECT_THAT(Seal(creator), IsOk());
  EXPECT_EQ(Stats().evictions, 1u);
  EXPECT_THAT(IdsOnDisk(), ElementsAre("b", "c"));
}

TEST_F(ArchiveRoomTest, WhatIsAboveTheCapacityAtTheStartIsEvictedOldestFirst) {
  capacity_ = absl::nullopt;
  Start();
  for (const char* id : {"c", "a", "b", "d"}) {
    ASSERT_THAT(Put(id, Bytes(400)), IsOk());
    clock_.Advance(absl::Seconds(1));
  }
  // Use is not remembered, the order of sealing is.
  ASSERT_THAT(Get("c"), IsOk());
  capacity_ = kCapacity;
  Start();
  AwaitIdle();
  EXPECT_THAT(Ids(), ElementsAre("b", "d"));
  EXPECT_THAT(IdsOnDisk(), ElementsAre("b", "d"));
  EXPECT_EQ(disk_.files(), 2u);
  EXPECT_EQ(Stats().bytes, 800u);
}

TEST_F(ArchiveRoomTest, WhatExpiredBeforeTheStartMakesRoomForTheRest) {
  ASSERT_THAT(Put("a", Bytes(400)), IsOk());
  ASSERT_THAT(Put("b", Bytes(400), absl::Seconds(10)), IsOk());
  capacity_ = 500;
  clock_.Advance(absl::Seconds(11));
  Start();
  AwaitIdle();
  EXPECT_THAT(Ids(), ElementsAre("a"));
  EXPECT_EQ(Stats().evictions, 0u);
  EXPECT_EQ(Stats().expired_objects, 1u);
  EXPECT_EQ(Stats().bytes, 400u);
}

}  // namespace
}  // namespace packice
