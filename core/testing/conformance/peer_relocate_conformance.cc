// Relocate: an object gets another id, and nothing else of it changes. See peer_conformance.h.
#include <atomic>
#include <string>
#include <thread>

#include "packice/core/testing/peer_fixture.h"

namespace packice {

TEST_P(PeerRelocateConformance, TheObjectHasTheNewIdAndNotTheOldOne) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("old", 5));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_THAT(Seal(creator, Meta({{"k", "1"}})), IsOk());
  ASSERT_THAT(Release(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo before, Stat("old"));
  ASSERT_THAT(Rename("old", "new"), IsOk());

  EXPECT_THAT(Stat("old"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Read("old"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Ids(), testing::ElementsAre("new"));
  EXPECT_THAT(Get("new"), IsOkAndHolds("bytes"));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("new"));
  EXPECT_EQ(info.object_id, Id("new"));
  EXPECT_EQ(info.state, ObjectState::kSealed);
  EXPECT_EQ(info.metadata, before.metadata);
  EXPECT_EQ(info.blob_sizes, before.blob_sizes);
  EXPECT_EQ(info.created_at, before.created_at);
  EXPECT_EQ(info.sealed_at, before.sealed_at);
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("new"));
  EXPECT_EQ(reader.object->id(), Id("new"));
  EXPECT_EQ(reader.lease.object_id, Id("new"));
}

TEST_P(PeerRelocateConformance, RelocateEndsTheLease) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  ASSERT_THAT(Relocate(writer, "b"), IsOk());
  EXPECT_THAT(Relocate(writer, "c"), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Discard(writer), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Release(writer), IsOk());
  EXPECT_EQ(GetStats().write_leases, 0u);
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("b"));
  EXPECT_EQ(info.leases, 0u);
  EXPECT_THAT(Write("b"), IsOk());
}

TEST_P(PeerRelocateConformance, TheCountsStayAsTheyWere) {
  if (!GetParam().one_copy) GTEST_SKIP() << "tiers have several copies";
  ASSERT_THAT(Put("a", "12345"), IsOk());
  ASSERT_THAT(Rename("a", "b"), IsOk());
  PeerStats stats = GetStats();
  EXPECT_EQ(stats.objects, 1u);
  EXPECT_EQ(stats.creating, 0u);
  EXPECT_EQ(stats.bytes, Footprint({5}));
  ASSERT_THAT(Remove("b"), IsOk());
  stats = GetStats();
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, 0u);
}

TEST_P(PeerRelocateConformance, ItTakesAWriteLease) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  EXPECT_THAT(Relocate(creator, "b"), HasKind(ErrorKind::kPermissionDenied));
  ASSERT_THAT(Release(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Relocate(reader, "b"), HasKind(ErrorKind::kPermissionDenied));
  ASSERT_THAT(Release(reader), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant unsealed, Create("c", 5));
  EXPECT_THAT(Relocate(unsealed, "b"), HasKind(ErrorKind::kPermissionDenied));
  Grant unknown;
  unknown.lease.id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  EXPECT_THAT(Relocate(unknown, "b"), HasKind(ErrorKind::kLeaseExpired));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Relocate(writer, "b", kOther), HasKind(ErrorKind::kPermissionDenied));
}

TEST_P(PeerRelocateConformance, OthersLeasesStandInTheWay) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant timed, WithTtl(Access::kRead, "a", absl::Seconds(10)));
  EXPECT_THAT(Relocate(writer, "b"), HasKind(ErrorKind::kBusy));
  ASSERT_THAT(Release(reader), IsOk());
  EXPECT_THAT(Relocate(writer, "b"), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(Ids(), testing::ElementsAre("a"));
  under_test_->AdvanceWithoutTimers(absl::Seconds(11));
  EXPECT_THAT(Relocate(writer, "b"), IsOk()) << "the lease goes on, and nobody is in its way";
  EXPECT_THAT(Ids(), testing::ElementsAre("b"));
}

TEST_P(PeerRelocateConformance, AnIdThatIsTakenIsKept) {
  ASSERT_THAT(Put("a", "a's"), IsOk());
  ASSERT_THAT(Put("b", "b's"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("c", 3));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Relocate(writer, "b"), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Relocate(writer, "a"), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Relocate(writer, "c"), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(Get("a"), IsOkAndHolds("a's"));
  EXPECT_THAT(Get("b"), IsOkAndHolds("b's"));
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Relocate(writer, "c"), IsOk()) << "the lease went on";
  EXPECT_THAT(Get("c"), IsOkAndHolds("a's"));
}

TEST_P(PeerRelocateConformance, TheOldIdIsFreeAtOnce) {
  ASSERT_THAT(Put("a", "one"), IsOk());
  ASSERT_THAT(Rename("a", "b"), IsOk());
  ASSERT_THAT(Put("a", "two"), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("two"));
  EXPECT_THAT(Get("b"), IsOkAndHolds("one"));
  ASSERT_THAT(Remove("b"), IsOk());
  ASSERT_THAT(Rename("a", "b"), IsOk());
  EXPECT_THAT(Get("b"), IsOkAndHolds("two"));
}

TEST_P(PeerRelocateConformance, ThereAndBackAgain) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_THAT(Rename("a", "b"), IsOk());
  ASSERT_THAT(Rename("b", "a"), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a"));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerRelocateConformance, WhoSharesTheObjectKeepsItsBytes) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_EQ(BytesOf(writer), "bytes");
  ASSERT_THAT(Relocate(writer, "b"), IsOk());
  EXPECT_EQ(BytesOf(writer), "bytes");
  ASSERT_THAT(Remove("b"), IsOk());
  EXPECT_EQ(BytesOf(writer), "bytes");
}

TEST_P(PeerRelocateConformance, TheObjectsOwnTtlGoesWithIt) {
  AcquireRequest request = CreateRequest("a", 0);
  request.object_ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_THAT(Release(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo before, Stat("a"));
  ASSERT_THAT(Rename("a", "b"), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("b"));
  EXPECT_EQ(info.expires_at, before.expires_at);
  ASSERT_THAT(Put("a", "another"), IsOk());
  Advance(absl::Seconds(11));
  EXPECT_THAT(Ids(), testing::ElementsAre("a"));
  EXPECT_EQ(GetStats().expired_objects, 1u);
}

TEST_P(PeerRelocateConformance, WhoWaitsToCreateTheOldIdIsNext) {
  ASSERT_OK_AND_ASSIGN(Grant first, Create("a", 3));
  Waiting creator = StartAcquire(CreateRequest("a", 3));
  ASSERT_THAT(Release(first), IsOk());
  ASSERT_THAT(creator.Wait(), IsOk());
  ASSERT_THAT(Seal(*creator.Wait()), IsOk());
  ASSERT_THAT(Release(*creator.Wait()), IsOk());

  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  Waiting next = StartAcquire(Request(Access::kWrite, "a", kOther));
  EXPECT_TRUE(StillWaits(next));
  ASSERT_THAT(Relocate(writer, "b"), IsOk());
  EXPECT_THAT(next.Wait(), HasKind(ErrorKind::kNotFound)) << "nobody has that id now";
}

TEST_P(PeerRelocateConformance, WhoWaitsForTheNewIdFindsTheObject) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 5));
  Waiting reader = StartAcquire(Request(Access::kRead, "b"));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Relocate(writer, "b"), HasKind(ErrorKind::kBusy));
  EXPECT_TRUE(StillWaits(reader));
  ASSERT_THAT(Release(creator), IsOk());
  if (!GetParam().waits_for_what_is_elsewhere) {
    EXPECT_THAT(reader.Wait(), HasKind(ErrorKind::kNotFound));
  }
  ASSERT_THAT(Relocate(writer, "b"), IsOk());
  if (GetParam().waits_for_what_is_elsewhere) {
    EXPECT_THAT(reader.Wait(), IsOk());
  }
  EXPECT_THAT(Get("b"), IsOkAndHolds("bytes"));
}

// An object goes to and fro, and whoever looks sees it exactly once.
TEST_P(PeerRelocateConformance, AtNoMomentDoBothOrNeitherOfTheIdsShow) {
  if (!GetParam().one_copy) GTEST_SKIP() << "tiers have several copies";
  ASSERT_THAT(Put("there", "bytes"), IsOk());
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    for (int i = 0; i < 200; ++i) {
      const bool back = i % 2 == 1;
      EXPECT_THAT(Rename(back ? "back" : "there", back ? "there" : "back"), IsOk());
    }
    stop.store(true);
  });
  while (!stop.load()) {
    EXPECT_EQ(Ids().size(), 1u);
  }
  mover.join();
  EXPECT_THAT(Get("there"), IsOkAndHolds("bytes"));
}

}  // namespace packice
