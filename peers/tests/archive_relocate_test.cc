// Relocation while the archive commits it: both ids are taken, and nobody sees both or neither.
#include <atomic>
#include <thread>

#include "archive_fixture.h"

namespace packice {
namespace {

using testing::ElementsAre;

TEST_F(ArchiveTest, UntilARelocationIsCommittedTheObjectHasItsOldId) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.rename.Close();
  auto moved = StartMove(writer, "b");
  disk_.rename.Await();
  EXPECT_FALSE(moved.IsDone());
  EXPECT_THAT(Ids(), ElementsAre("a"));
  EXPECT_THAT(Stat("b"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Discard(writer), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(StartMove(writer, "c").Wait(), HasKind(ErrorKind::kBusy));
  PendingGrant reader = Start(Request(Access::kRead, "a"));
  PendingGrant next = Start(CreateRequest("a", 3));
  PendingGrant taken = Start(CreateRequest("b", 3));
  EXPECT_FALSE(reader.IsDone() || next.IsDone() || taken.IsDone());
  // The new id is promised.
  ASSERT_THAT(Put("c", "c's"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant other, Write("c"));
  EXPECT_THAT(StartMove(other, "b").Wait(), HasKind(ErrorKind::kBusy));

  disk_.rename.Open();
  EXPECT_THAT(moved.Wait(), IsOk());
  EXPECT_THAT(taken.Wait(), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(next.Wait(), IsOk());
  EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotSealed)) << "of the next one";
  EXPECT_THAT(Get("b"), IsOkAndHolds("bytes"));
  EXPECT_THAT(disk_.log(), ElementsAre("add a", "add c", "rename a b"));
}

TEST_F(ArchiveTest, ARelocationThatIsNotCommittedChangesNothing) {
  ASSERT_THAT(Put("a", "bytes", absl::Hours(1)), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.rename.Close();
  auto moved = StartMove(writer, "b");
  disk_.rename.Await();
  PendingGrant reader = Start(Request(Access::kRead, "a"));
  PendingGrant creator = Start(CreateRequest("b", 3));
  disk_.Break(ErrorKind::kIo, 1);
  disk_.rename.Open();
  EXPECT_THAT(moved.Wait(), HasKind(ErrorKind::kIo));
  EXPECT_THAT(reader.Wait(), IsOk());
  EXPECT_THAT(creator.Wait(), IsOk());
  EXPECT_THAT(Ids(), ElementsAre("a", "b"));
  ASSERT_THAT(Release(*reader.Wait()), IsOk());
  EXPECT_THAT(StartMove(writer, "c").Wait(), IsOk()) << "the lease goes on";
  Advance(absl::Hours(2));
  EXPECT_THAT(Ids(), ElementsAre("b"));
}

TEST_F(ArchiveTest, ALeaseThatEndsDuringItsRelocationChangesNothingOfIt) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.rename.Close();
  auto moved = StartMove(writer, "b");
  disk_.rename.Await();
  peer_->EndSession(kMine);
  disk_.rename.Open();
  EXPECT_THAT(moved.Wait(), IsOk());
  EXPECT_THAT(Ids(), ElementsAre("b"));
  EXPECT_EQ(Stat("b")->leases, 0u);
  // It may be evicted, written, moved on as any other.
  ASSERT_OK_AND_ASSIGN(Grant again, Write("b"));
  EXPECT_THAT(StartMove(again, "a").Wait(), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant last, Write("a"));
  EXPECT_THAT(Discard(last), IsOk());
  EXPECT_EQ(Stats().bytes, 0u);
}

TEST_F(ArchiveTest, WhoSharesAnObjectThatMovedKeepsItsBytes) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  ASSERT_THAT(StartMove(writer, "b").Wait(), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(Grant remover, Write("b"));
    ASSERT_THAT(Discard(remover), IsOk());
  }
  EXPECT_EQ(BytesOf(writer), "bytes");
  EXPECT_EQ(disk_.files(), 1u);
  writer = Grant();
  AwaitIdle();
  EXPECT_EQ(disk_.files(), 0u);
}

TEST_F(ArchiveTest, AnIdWhoseExpiredObjectIsStillBeingRemovedIsBusy) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_THAT(Put("b", "old", absl::Seconds(10)), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  disk_.remove.Close();
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  disk_.remove.Await();
  EXPECT_THAT(StartMove(writer, "b").Wait(), HasKind(ErrorKind::kBusy));
  disk_.remove.Open();
  AwaitIdle();
  EXPECT_THAT(StartMove(writer, "b").Wait(), IsOk());
}

// Readers, lists and stats of both ids while an object goes to and fro between them.
TEST_F(ArchiveTest, RelocationUnderConcurrentReaders) {
  ASSERT_THAT(Put("there", "bytes"), IsOk());
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    const char* ids[] = {"there", "back"};
    for (int i = 0; i < 300;) {
      absl::StatusOr<Grant> writer = Write(ids[i % 2]);
      ASSERT_THAT(writer, IsOk());
      const absl::Status moved = StartMove(*writer, ids[(i + 1) % 2]).Wait();
      if (moved.ok()) {
        ++i;
      } else {
        EXPECT_THAT(moved, HasKind(ErrorKind::kBusy));
        EXPECT_THAT(Release(*writer), IsOk());
      }
    }
    stop.store(true);
  });
  std::vector<std::thread> readers;
  for (const char* id : {"there", "back"}) {
    readers.emplace_back([&, id] {
      while (!stop.load()) {
        absl::StatusOr<Grant> reader = Read(id);
        if (!reader.ok()) {
          EXPECT_THAT(reader, HasKind(ErrorKind::kNotFound));
          continue;
        }
        EXPECT_EQ(reader->object->id(), Id(id));
        EXPECT_EQ(BytesOf(*reader), "bytes");
        EXPECT_THAT(Release(*reader), IsOk());
        std::this_thread::yield();
      }
    });
  }
  readers.emplace_back([&] {
    while (!stop.load()) EXPECT_EQ(Ids().size(), 1u);
  });
  mover.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(Stats().read_leases + Stats().write_leases, 0u);
  EXPECT_THAT(IdsOnDisk(), ElementsAre("there"));
}

}  // namespace
}  // namespace packice
