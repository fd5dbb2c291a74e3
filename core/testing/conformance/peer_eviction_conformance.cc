// The rules of eviction, for a peer with a capacity of its own that evicts the least recently used
// object. See peer_conformance.h.
#include <string>

#include "packice/core/testing/peer_fixture.h"

namespace packice {

TEST_P(PeerEvictionConformance, StatsTellTheCapacity) { EXPECT_EQ(GetStats().capacity, kCapacity); }

TEST_P(PeerEvictionConformance, TheLeastRecentlyUsedObjectGoesFirst) {
  FillWithUnleased();
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("b", "c", "d", "e"));
  ASSERT_THAT(Put("f", Unit('f')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("c", "d", "e", "f"));
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.evictions, 2u);
  EXPECT_EQ(stats.bytes, kCapacity);
}

TEST_P(PeerEvictionConformance, AReadMakesAnObjectRecent) {
  FillWithUnleased();
  EXPECT_THAT(Get("a"), IsOkAndHolds(Unit('a')));
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "c", "d", "e"));
}

TEST_P(PeerEvictionConformance, ALeaseDoesNotMakeAnObjectRecent) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Get("b"), IsOkAndHolds(Unit('b')));
  ASSERT_THAT(Release(reader), IsOk());  // it was read before "b", and held for longer
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("c"));
  ASSERT_THAT(Release(writer), IsOk());
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "b", "d", "e"));
  ASSERT_THAT(Put("f", std::string(2 * kUnit, 'f')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("b", "e", "f"));
}

TEST_P(PeerEvictionConformance, AQuietReadDoesNotMakeAnObjectRecent) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant reader, ReadQuietly("a"));
  ASSERT_THAT(Release(reader), IsOk());
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("b", "c", "d", "e"));
}

TEST_P(PeerEvictionConformance, WhatALeaseHasSavedGoesNextAfterIt) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  ASSERT_THAT(Put("e", Unit('e')), IsOk());  // would have taken "a", and took "b"
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "c", "d", "e"));
  ASSERT_THAT(Release(writer), IsOk());
  ASSERT_THAT(Put("f", Unit('f')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("c", "d", "e", "f"));
}

TEST_P(PeerEvictionConformance, LookingAtAnObjectDoesNotMakeItRecent) {
  FillWithUnleased();
  ASSERT_THAT(Stat("a"), IsOk());
  Ids();
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("b", "c", "d", "e"));
}

TEST_P(PeerEvictionConformance, AsManyGoAsAreNeeded) {
  FillWithUnleased();
  ASSERT_THAT(Put("e", std::string(3 * kUnit, 'e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("d", "e"));
}

TEST_P(PeerEvictionConformance, AnEvictedObjectIsNotFoundAndItsIdIsFree) {
  FillWithUnleased();
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Put("a", Unit('A')), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds(Unit('A')));
}

TEST_P(PeerEvictionConformance, ALeasedObjectIsNeverEvicted) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("b"));
  ASSERT_THAT(Put("e", Unit('e')), IsOk());
  ASSERT_THAT(Put("f", Unit('f')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "b", "e", "f"));
  ASSERT_THAT(Put("g", Unit('g')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "b", "f", "g"));
  EXPECT_EQ(BytesOf(reader), Unit('a'));
}

TEST_P(PeerEvictionConformance, ASealedCreateLeasePins) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", Unit('a')));
  for (char c : {'b', 'c', 'd', 'e'}) ASSERT_THAT(Put(std::string(1, c), Unit(c)), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "c", "d", "e"));
  EXPECT_EQ(BytesOf(creator), Unit('a'));
}

TEST_P(PeerEvictionConformance, AnObjectBeingCreatedIsNeverEvicted) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", kUnit));
  for (char c : {'b', 'c', 'd', 'e'}) ASSERT_THAT(Put(std::string(1, c), Unit(c)), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "c", "d", "e"));
  EXPECT_THAT(Seal(creator), IsOk());
}

TEST_P(PeerEvictionConformance, WhenAllIsLeasedThereIsNoCapacity) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant a, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant b, Read("b"));
  ASSERT_OK_AND_ASSIGN(Grant c, Read("c"));
  ASSERT_OK_AND_ASSIGN(Grant d, WithTtl(Access::kRead, "d", absl::Seconds(10)));
  EXPECT_THAT(Create("e", kUnit), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Stat("e"), HasKind(ErrorKind::kNotFound)) << "the refused one left a trace";
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "b", "c", "d"));
  // One lease that ends, however it ends, makes room again.
  ASSERT_THAT(Release(b), IsOk());
  EXPECT_THAT(Put("e", Unit('e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "c", "d", "e"));
  ASSERT_OK_AND_ASSIGN(Grant e, Read("e"));
  EXPECT_THAT(Create("f", kUnit), HasKind(ErrorKind::kCapacity));
  Advance(absl::Seconds(11));
  EXPECT_THAT(Put("f", Unit('f')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "c", "e", "f"));
}

TEST_P(PeerEvictionConformance, TellsHowLongTheNextToGoHasNotBeenUsed) {
  const absl::optional<absl::Duration> none = GetStats().coldest_age;
  EXPECT_EQ(none, absl::nullopt);
  ASSERT_THAT(Put("a", Unit('a')), IsOk());
  ASSERT_THAT(Put("b", Unit('b')), IsOk());
  Advance(absl::Seconds(60));
  if (!GetStats().coldest_age.has_value()) GTEST_SKIP() << "it cannot tell";
  EXPECT_EQ(GetStats().coldest_age, absl::Seconds(60));
  EXPECT_THAT(Get("a"), IsOkAndHolds(Unit('a')));
  EXPECT_THAT(Get("b"), IsOkAndHolds(Unit('b')));
  EXPECT_EQ(GetStats().coldest_age, absl::ZeroDuration());
}

TEST_P(PeerEvictionConformance, ADiscardedObjectStillLeasedTakesRoom) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant a, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant b, Read("b"));
  ASSERT_OK_AND_ASSIGN(Grant c, Read("c"));
  ASSERT_OK_AND_ASSIGN(Grant d, Read("d"));
  ASSERT_THAT(Remove("a"), IsOk());
  EXPECT_THAT(Create("e", kUnit), HasKind(ErrorKind::kCapacity));
  ASSERT_THAT(Release(a), IsOk());
  EXPECT_THAT(Create("e", kUnit), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("b", "c", "d", "e"));
}

TEST_P(PeerEvictionConformance, AnObjectLargerThanAllRoomIsCapacityAndEvictsNothing) {
  FillWithUnleased();
  EXPECT_THAT(Create("e", kCapacity + 1), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Ids(), testing::ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(GetStats().evictions, 0u);
}

TEST_P(PeerEvictionConformance, AnObjectAsLargeAsAllRoomFits) {
  FillWithUnleased();
  EXPECT_THAT(Put("e", std::string(kCapacity, 'e')), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("e"));
}

TEST_P(PeerEvictionConformance, OpenHandlesOfAnEvictedObjectStayReadable) {
  FillWithUnleased();
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, reader.object->blobs()[0]->Map(MapAccess::kReadOnly));
  ASSERT_THAT(Release(reader), IsOk());
  for (char c : {'e', 'f', 'g', 'h', 'i'}) ASSERT_THAT(Put(std::string(1, c), Unit(c)), IsOk());
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(BytesOf(reader), Unit('a'));
  EXPECT_EQ(mapping.view(), Unit('a'));
}

}  // namespace packice
