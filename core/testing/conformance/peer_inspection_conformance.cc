// Stat, List and Stats: what an onlooker sees. See peer_conformance.h.
#include <algorithm>
#include <string>
#include <vector>

#include "packice/core/testing/peer_fixture.h"

namespace packice {

// --- Stat.

TEST_P(PeerConformance, StatOfAnUnknownObjectIsNotFound) {
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, StatTellsOfAnObjectBeingCreated) {
  AcquireRequest request = CreateRequest("a");
  request.blob_sizes = {3, 4};
  request.metadata = Meta({{"k", "\"v\""}});
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.object_id, Id("a"));
  EXPECT_EQ(info.state, ObjectState::kCreating);
  EXPECT_EQ(info.metadata, Meta({{"k", "\"v\""}}));
  EXPECT_THAT(info.blob_sizes, testing::ElementsAre(3, 4));
  EXPECT_EQ(info.size(), 7u);
  EXPECT_EQ(info.leases, 1u);
  EXPECT_EQ(info.sealed_at, absl::nullopt);
}

TEST_P(PeerConformance, StatTellsOfASealedObject) {
  AcquireRequest request = CreateRequest("a", 0);
  request.object_ttl = absl::Seconds(100);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  Advance(absl::Seconds(5));
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.state, ObjectState::kSealed);
  EXPECT_EQ(info.leases, 2u);
  ASSERT_TRUE(info.sealed_at);
  EXPECT_EQ(*info.sealed_at - info.created_at, absl::Seconds(5));
  ASSERT_TRUE(info.expires_at);
  EXPECT_EQ(*info.expires_at - *info.sealed_at, absl::Seconds(100));
}

TEST_P(PeerConformance, AnObjectWithoutATtlDoesNotExpire) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.expires_at, absl::nullopt);
  EXPECT_EQ(info.leases, 0u);
}

// --- List.

TEST_P(PeerConformance, ListGivesAllObjectsInTheOrderOfTheirBytes) {
  std::vector<std::string> ids = {
      "b", "a", "a/b", "a\"b", "a\nb", "..", "/", "Z", "\xF0\x9F\xA7\x8A", std::string("a\0b", 3)};
  if (!GetParam().ids_are_utf8_only) ids.push_back("\xFF");
  for (const std::string& id : ids) ASSERT_THAT(Put(id, "x"), IsOk());
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(Ids(), ids);

  // Page by page, with every id at the end of a page once.
  for (size_t limit = 1; limit <= ids.size() + 1; ++limit) {
    SCOPED_TRACE(limit);
    std::vector<std::string> all;
    ListRequest request;
    request.limit = limit;
    for (size_t pages = 0; pages <= ids.size(); ++pages) {
      ASSERT_OK_AND_ASSIGN(ListPage page, blocking::List(peer(), request));
      EXPECT_LE(page.objects.size(), limit);
      for (const ObjectInfo& info : page.objects) all.emplace_back(info.object_id.bytes());
      if (!page.next) break;
      EXPECT_EQ(page.objects.size(), limit);
      request.after = std::string(page.next->bytes());
    }
    EXPECT_EQ(all, ids);
  }
}

TEST_P(PeerConformance, ListTellsWhatStatTells) {
  AcquireRequest request = CreateRequest("a", 2);
  request.metadata = Meta({{"k", "1"}});
  ASSERT_OK_AND_ASSIGN(Grant a, Acquire(request));
  ASSERT_THAT(Seal(a), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant b, Create("b", 3));
  ASSERT_OK_AND_ASSIGN(ListPage page, blocking::List(peer(), {}));
  ASSERT_EQ(page.objects.size(), 2u);
  EXPECT_EQ(page.next, absl::nullopt);
  EXPECT_EQ(page.objects[0].object_id, Id("a"));
  EXPECT_EQ(page.objects[0].state, ObjectState::kSealed);
  EXPECT_EQ(page.objects[0].metadata, Meta({{"k", "1"}}));
  EXPECT_EQ(page.objects[0].size(), 2u);
  EXPECT_EQ(page.objects[0].leases, 1u);
  EXPECT_EQ(page.objects[1].object_id, Id("b"));
  EXPECT_EQ(page.objects[1].state, ObjectState::kCreating);
  EXPECT_EQ(page.objects[1].size(), 3u);
}

TEST_P(PeerConformance, ListGoesByPrefix) {
  for (absl::string_view id : {"a", "a/", "a/1", "a/2", "a0", "b"}) {
    ASSERT_THAT(Put(id, "x"), IsOk());
  }
  ListRequest request;
  request.prefix = "a/";
  EXPECT_THAT(Ids(request), testing::ElementsAre("a/", "a/1", "a/2"));
  request.after = "a/1";
  EXPECT_THAT(Ids(request), testing::ElementsAre("a/2"));
  request.after = "b";
  EXPECT_THAT(Ids(request), testing::IsEmpty());
  request.after = "0";
  EXPECT_THAT(Ids(request), testing::ElementsAre("a/", "a/1", "a/2"));
  request.prefix = "c";
  request.after = "";
  EXPECT_THAT(Ids(request), testing::IsEmpty());
}

TEST_P(PeerConformance, ListGoesOnBehindAnIdThatIsNotThere) {
  for (absl::string_view id : {"a", "c"}) ASSERT_THAT(Put(id, "x"), IsOk());
  ListRequest request;
  request.after = "b";
  EXPECT_THAT(Ids(request), testing::ElementsAre("c"));
  request.after = "c";
  EXPECT_THAT(Ids(request), testing::IsEmpty());
}

TEST_P(PeerConformance, AListLimitIsOneToTheMost) {
  ASSERT_THAT(Put("a", "x"), IsOk());
  ListRequest request;
  request.limit = 0;
  EXPECT_THAT(blocking::List(peer(), request), HasKind(ErrorKind::kInvalidArgument));
  request.limit = ListRequest::kMaxLimit + 1;
  EXPECT_THAT(blocking::List(peer(), request), HasKind(ErrorKind::kInvalidArgument));
  request.limit = ListRequest::kMaxLimit;
  EXPECT_THAT(Ids(request), testing::ElementsAre("a"));
}

// --- Stats.

TEST_P(PeerConformance, StatsCountObjectsAndBytes) {
  if (!GetParam().one_copy) GTEST_SKIP() << "tiers have several copies";
  PeerStats stats = GetStats();
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  ASSERT_THAT(Put("a", "12345"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 7));
  stats = GetStats();
  EXPECT_EQ(stats.objects, 2u);
  EXPECT_EQ(stats.creating, 1u);
  EXPECT_EQ(stats.bytes, Footprint({5, 7})) << "declared bytes count from the start";
  ASSERT_THAT(Seal(creator), IsOk());
  stats = GetStats();
  EXPECT_EQ(stats.objects, 2u);
  EXPECT_EQ(stats.creating, 0u);
  EXPECT_EQ(stats.bytes, Footprint({5, 7}));
  ASSERT_THAT(Discard(creator), IsOk());
  stats = GetStats();
  EXPECT_EQ(stats.objects, 1u);
  EXPECT_EQ(stats.bytes, Footprint({5}));
}

TEST_P(PeerConformance, StatsCountTheBytesOfAnUndeclaredObjectFromSealAtLatest) {
  if (!GetParam().one_copy) GTEST_SKIP() << "tiers have several copies";
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a"));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "12345"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_EQ(GetStats().bytes, Footprint({5}));
  ASSERT_THAT(Discard(creator), IsOk());
  EXPECT_EQ(GetStats().bytes, 0u);
}

TEST_P(PeerConformance, StatsCountLeases) {
  ASSERT_THAT(Put("a", "x"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 1));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant timed, WithTtl(Access::kRead, "a", absl::Seconds(10)));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  PeerStats stats = GetStats();
  EXPECT_EQ(stats.create_leases, 1u);
  EXPECT_EQ(stats.read_leases, 2u);
  EXPECT_EQ(stats.write_leases, 1u);
  EXPECT_EQ(stats.expired_leases, 0u);
  Advance(absl::Seconds(11));
  stats = GetStats();
  EXPECT_EQ(stats.read_leases, 1u);
  EXPECT_EQ(stats.expired_leases, 1u);
  ASSERT_THAT(Release(writer), IsOk());
  EXPECT_EQ(GetStats().write_leases, 0u);
  EXPECT_EQ(GetStats().expired_leases, 1u) << "released, not expired";
}

TEST_P(PeerConformance, StatsCountHitsAndMisses) {
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "x"));
  ASSERT_THAT(Get("a"), IsOk());
  ASSERT_THAT(Get("a"), IsOk());
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.misses, 1u);
}

TEST_P(PeerConformance, StatsCountTheBytesOfHits) {
  ASSERT_THAT(Put("a", "12345"), IsOk());
  ASSERT_THAT(Put("b", "123"), IsOk());
  ASSERT_THAT(Get("a"), IsOk());
  ASSERT_THAT(Get("b"), IsOk());
  ASSERT_THAT(Get("a"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_EQ(GetStats().hit_bytes, 13u);
}

TEST_P(PeerConformance, AQuietReadCountsAsNothing) {
  ASSERT_THAT(Put("a", "12345"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, ReadQuietly("a"));
  EXPECT_EQ(BytesOf(reader), "12345");
  EXPECT_THAT(ReadQuietly("b"), HasKind(ErrorKind::kNotFound));
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.read_leases, 1u) << "it is a lease all the same";
  EXPECT_EQ(stats.hits, 0u);
  EXPECT_EQ(stats.hit_bytes, 0u);
  EXPECT_EQ(stats.misses, 0u);
}

}  // namespace packice
