// An object in memory that nobody uses is a few bytes beside its own, and nobody can tell.
#include "parked_object.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/packed_bytes.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

TEST(ParkedObjectTest, IsWhatWasPacked) {
  ParkedObject object;
  object.created_at = absl::FromUnixNanos(1'700'000'000'123'456'789);
  object.sealed_at = object.created_at + absl::Milliseconds(7);
  object.blob = uint64_t{300} << 32 | 12'345'678;
  object.size = 260'000;
  EXPECT_LE(object.Pack().size(), PackedBytes::kInline) << "no allocation for it";
  for (const auto& [key, value] : {std::pair("", "1"), std::pair("a", "{\"b\": [1,2]}"),
                                   std::pair("long", "\"0123456789012345678901234567890\"")}) {
    const ParkedObject again = ParkedObject::Unpack(object.Pack());
    EXPECT_EQ(again.created_at, object.created_at);
    EXPECT_EQ(again.sealed_at, object.sealed_at);
    EXPECT_EQ(again.blob, object.blob);
    EXPECT_EQ(again.size, object.size);
    EXPECT_EQ(again.metadata, object.metadata);
    object.metadata.Set(key, value);
    std::swap(object.created_at, object.sealed_at);  // a clock may be set back
  }
}

class ParkedObjectsTest : public testing::Test {
 protected:
  ParkedObjectsTest() {
    LocalPeerOptions options;
    options.capacity = 1000;
    options.eviction.kind = EvictionKind::kLru;
    options.background_reaper = false;
    options.open_at_rest = 0;
    options.clock = &clock_;
    options.random = &random_;
    peer_ = MakeMemoryPeer(options);
  }

  // Answers the sealed object's own view; weak, so that it may be parked.
  std::weak_ptr<Object> Put(absl::string_view id, absl::string_view bytes, Metadata metadata = {},
                            absl::optional<absl::Duration> ttl = absl::nullopt) {
    AcquireRequest request = Request(Access::kCreate, id);
    request.blob_sizes = {bytes.size()};
    request.object_ttl = ttl;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer_, request);
    EXPECT_THAT(grant, IsOk());
    EXPECT_THAT(grant->object->blobs()[0]->Write(0, bytes), IsOk());
    clock_.Advance(absl::Microseconds(3));
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.metadata = std::move(metadata);
    EXPECT_THAT(blocking::Seal(*peer_, seal), IsOk());
    std::weak_ptr<Object> object = grant->object;
    grant->object = nullptr;
    Release(grant->lease.id);
    return object;
  }
  AcquireRequest Request(Access access, absl::string_view id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    return request;
  }
  absl::StatusOr<Grant> Acquire(Access access, absl::string_view id) {
    return blocking::Acquire(*peer_, Request(access, id));
  }
  void Release(const LeaseId& lease) {
    EXPECT_THAT(blocking::Release(*peer_, {lease, {}, {}}), IsOk());
  }
  static std::string BytesOf(const Object& object) {
    const Blob& blob = *object.blobs()[0];
    std::string bytes(blob.size(), '\0');
    EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
    return bytes;
  }

  FakeClock clock_;
  FakeRandom random_;
  std::unique_ptr<LocalPeer> peer_;
};

TEST_F(ParkedObjectsTest, WhatIsUsedTimeAndAgainIsNotMadeAnewEachTime) {
  LocalPeerOptions options;
  options.background_reaper = false;
  peer_ = MakeMemoryPeer(options);
  const auto closes = [this](absl::string_view id) {
    absl::StatusOr<Grant> grant = Acquire(Access::kRead, id);
    EXPECT_THAT(grant, IsOk());
    const std::weak_ptr<Object> object = grant->object;
    grant->object = nullptr;
    Release(grant->lease.id);
    return object.expired();
  };
  constexpr int kMany = 50'000;
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(Put(absl::StrCat("object ", i), "abc").expired());
  EXPECT_FALSE(closes("object 7"));
  // Once each: of that nothing is kept, but for the last of them.
  int closed = 0;
  for (int i = 0; i < kMany; ++i) closed += closes(absl::StrCat("object ", i));
  EXPECT_GT(closed, kMany * 9 / 10);
  closes("object 8");
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(closes("object 8"));
}

TEST_F(ParkedObjectsTest, NothingIsLeftOfAnObjectThatNobodyUses) {
  EXPECT_TRUE(Put("a", "abc").expired());
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kRead, "a"));
  std::weak_ptr<Object> object = grant.object;
  grant.object = nullptr;
  EXPECT_FALSE(object.expired());
  Release(grant.lease.id);
  EXPECT_TRUE(object.expired());
}

TEST_F(ParkedObjectsTest, WhatIsToldOfItIsWhatItWas) {
  Metadata metadata;
  metadata.Set("shape", "[1, 2]");
  const absl::Time created_at = clock_.WallTime();
  Put("a", "abc", metadata);
  const absl::Time sealed_at = clock_.WallTime();
  clock_.Advance(absl::Seconds(1));
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const ObjectInfo info, blocking::Stat(*peer_, *ObjectId::Parse("a")));
    EXPECT_EQ(info.state, ObjectState::kSealed);
    EXPECT_EQ(info.metadata, metadata);
    EXPECT_EQ(info.created_at, created_at);
    EXPECT_EQ(info.sealed_at, sealed_at);
    EXPECT_THAT(info.blob_sizes, testing::ElementsAre(3));
    ASSERT_OK_AND_ASSIGN(const Grant grant, Acquire(Access::kRead, "a"));
    EXPECT_EQ(grant.object->id().bytes(), "a");
    EXPECT_EQ(grant.object->metadata(), metadata);
    EXPECT_EQ(grant.object->created_at(), created_at);
    EXPECT_EQ(grant.object->sealed_at(), sealed_at);
    EXPECT_EQ(BytesOf(*grant.object), "abc");
    Release(grant.lease.id);
  }
}

TEST_F(ParkedObjectsTest, BytesThatAReaderStillMapsAreNotParkedUnderHim) {
  Put("a", "abc");
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kRead, "a"));
  ASSERT_OK_AND_ASSIGN(const Mapping mapping, grant.object->blobs()[0]->Map(MapAccess::kReadOnly));
  Release(grant.lease.id);
  grant.object = nullptr;
  ASSERT_OK_AND_ASSIGN(grant, Acquire(Access::kWrite, "a"));
  ASSERT_THAT(blocking::Discard(*peer_, {grant.lease.id, {}, {}}), IsOk());
  grant.object = nullptr;
  Put("b", "xyz");
  EXPECT_EQ(mapping.view(), "abc");
}

TEST_F(ParkedObjectsTest, ItsRoomAndItsBytesComeFreeWithIt) {
  // Ten of them fit; each of the next evicts one that is parked and takes its place.
  for (int i = 0; i < 1000; ++i) {
    const std::string bytes(100, static_cast<char>('a' + i % 26));
    Put(absl::StrCat("object ", i), bytes);
    ASSERT_OK_AND_ASSIGN(const Grant grant, Acquire(Access::kRead, absl::StrCat("object ", i)));
    ASSERT_EQ(BytesOf(*grant.object), bytes);
    const BlobDescriptor described = grant.object->blobs()[0]->Describe();
    EXPECT_LT(absl::get<FdDescriptor>(described).offset, 20u * 128) << "memory is used again";
    Release(grant.lease.id);
  }
  ASSERT_OK_AND_ASSIGN(const PeerStats stats, blocking::Stats(*peer_));
  EXPECT_EQ(stats.objects, 10u);
  EXPECT_EQ(stats.bytes, 1000u);
  EXPECT_EQ(stats.evictions, 990u);
}

TEST_F(ParkedObjectsTest, ItExpiresAndIsDiscardedAndMovesAsAnyOther) {
  Put("expires", "1", {}, absl::Seconds(10));
  Put("moves", "2");
  Put("goes", "3");
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(Access::kWrite, "moves"));
  RelocateRequest move;
  move.lease_id = grant.lease.id;
  move.to = *ObjectId::Parse("moved");
  ASSERT_THAT(blocking::Relocate(*peer_, move), IsOk());
  ASSERT_OK_AND_ASSIGN(grant, Acquire(Access::kWrite, "goes"));
  ASSERT_THAT(blocking::Discard(*peer_, {grant.lease.id, {}, {}}), IsOk());
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  ASSERT_OK_AND_ASSIGN(const PeerStats stats, blocking::Stats(*peer_));
  EXPECT_EQ(stats.objects, 1u);
  EXPECT_EQ(stats.bytes, 1u);
  ASSERT_OK_AND_ASSIGN(grant, Acquire(Access::kRead, "moved"));
  EXPECT_EQ(grant.object->id().bytes(), "moved");
  EXPECT_EQ(BytesOf(*grant.object), "2");
}

}  // namespace
}  // namespace packice
