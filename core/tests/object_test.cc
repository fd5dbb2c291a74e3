#include "packice/core/object.h"

#include <string>
#include <thread>
#include <utility>

#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

constexpr absl::Time kCreated = absl::FromUnixSeconds(1000);
constexpr absl::Time kSealed = absl::FromUnixSeconds(2000);

Metadata Meta(absl::string_view key, absl::string_view value) {
  Metadata metadata;
  metadata.Set(key, value);
  return metadata;
}

class ObjectTest : public testing::Test {
 protected:
  Object New(std::initializer_list<absl::optional<uint64_t>> sizes, Metadata metadata = {}) {
    Object::Blobs blobs;
    for (const auto& size : sizes) blobs.push_back(*store_.Create(size));
    return Object(*ObjectId::Parse("a"), std::move(metadata), std::move(blobs), kCreated);
  }

  HeapBlobStore store_;
};

TEST_F(ObjectTest, IsBeingCreatedAtFirst) {
  const Object object = New({3, 4}, Meta("k", "1"));
  EXPECT_EQ(object.id(), *ObjectId::Parse("a"));
  EXPECT_EQ(object.state(), ObjectState::kCreating);
  EXPECT_EQ(object.created_at(), kCreated);
  EXPECT_EQ(object.metadata(), Meta("k", "1"));
  EXPECT_EQ(object.blobs().size(), 2u);
  EXPECT_EQ(object.size(), 7u);
}

TEST_F(ObjectTest, SealFreezesEveryBlobAndTheMetadata) {
  Object object = New({3, 4}, Meta("k", "1"));
  ASSERT_THAT(object.Seal(absl::nullopt, Meta("k", "2"), kSealed), IsOk());
  EXPECT_EQ(object.state(), ObjectState::kSealed);
  EXPECT_EQ(object.sealed_at(), kSealed);
  EXPECT_EQ(object.metadata(), Meta("k", "2"));
  for (const auto& blob : object.blobs()) EXPECT_TRUE(blob->sealed());
}

TEST_F(ObjectTest, TheSizeIsForBlobZero) {
  Object object = New({absl::nullopt, 4});
  ASSERT_THAT(object.blobs()[0]->Write(0, "bytes and more"), IsOk());
  ASSERT_THAT(object.Seal(5, {}, kSealed), IsOk());
  EXPECT_EQ(object.blobs()[0]->size(), 5u);
  EXPECT_EQ(object.blobs()[1]->size(), 4u);
  EXPECT_EQ(object.size(), 9u);
}

TEST_F(ObjectTest, MetadataThatGrowsTooLargeSealsNothing) {
  Object object = New({3}, Meta("k", "1"));
  const Metadata large = Meta("l", std::string(Metadata::kMaxBytes, '1'));
  EXPECT_THAT(object.Seal(absl::nullopt, large, kSealed), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_EQ(object.state(), ObjectState::kCreating);
  EXPECT_FALSE(object.blobs()[0]->sealed());
  EXPECT_EQ(object.metadata(), Meta("k", "1"));
  EXPECT_THAT(object.Seal(absl::nullopt, {}, kSealed), IsOk());
}

TEST_F(ObjectTest, ASealThatFailedMayBeTriedAgain) {
  Object object = New({3, 4}, Meta("k", "1"));
  store_.PretendWritableMapping(true);
  EXPECT_THAT(object.Seal(absl::nullopt, Meta("k", "2"), kSealed), HasKind(ErrorKind::kBusy));
  EXPECT_EQ(object.state(), ObjectState::kCreating);
  EXPECT_EQ(object.metadata(), Meta("k", "1"));
  store_.PretendWritableMapping(false);
  EXPECT_THAT(object.Seal(absl::nullopt, Meta("k", "3"), kSealed), IsOk());
  EXPECT_EQ(object.metadata(), Meta("k", "3"));
}

TEST_F(ObjectTest, ASealThatFailedHalfwayMayBeTriedAgain) {
  Object object = New({3, 4});
  // As if the first attempt had stopped at the second blob.
  ASSERT_THAT(object.blobs()[0]->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(object.Seal(absl::nullopt, {}, kSealed), IsOk());
  EXPECT_TRUE(object.blobs()[1]->sealed());
}

TEST_F(ObjectTest, WhoSeesItSealedSeesAllOfIt) {
  for (int round = 0; round < 100; ++round) {
    Object object = New({1});
    std::thread reader([&object] {
      while (object.state() != ObjectState::kSealed) std::this_thread::yield();
      EXPECT_EQ(object.metadata(), Meta("k", "1"));
      EXPECT_EQ(object.sealed_at(), kSealed);
      EXPECT_TRUE(object.blobs()[0]->sealed());
    });
    EXPECT_THAT(object.Seal(absl::nullopt, Meta("k", "1"), kSealed), IsOk());
    reader.join();
  }
}

}  // namespace
}  // namespace packice
