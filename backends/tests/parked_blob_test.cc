// Bytes that a store keeps under a number while nobody has a blob of them.
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

std::shared_ptr<Blob> Sealed(absl::StatusOr<std::unique_ptr<Blob>> blob, absl::string_view bytes) {
  EXPECT_THAT(blob, IsOk());
  EXPECT_THAT((*blob)->Write(0, bytes), IsOk());
  EXPECT_THAT((*blob)->Seal(absl::nullopt), IsOk());
  return *std::move(blob);
}

std::shared_ptr<Blob> WrittenByAClient(MemoryBlobStore& store, absl::string_view bytes) {
  return Sealed(store.Create(bytes.size()), bytes);
}

std::shared_ptr<Blob> WrittenHere(MemoryBlobStore& store, absl::string_view bytes) {
  return Sealed(store.CreateHere(ObjectId(), bytes.size()), bytes);
}

FdDescriptor Describe(const Blob& blob) { return absl::get<FdDescriptor>(blob.Describe()); }

std::string ReadAll(const Blob& blob) {
  std::string bytes(blob.size(), '\0');
  EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
  return bytes;
}

TEST(ParkedBlobTest, IsTheSameAgainWhereItWas) {
  MemoryBlobStore store;
  for (const auto& make : {WrittenByAClient, WrittenHere}) {
    std::shared_ptr<Blob> blob = make(store, "abcdef");
    FdDescriptor before = Describe(*blob);
    const uint64_t segment = before.segment->id;
    const uint64_t offset = before.offset;
    before = FdDescriptor();
    // As often as it is asked for.
    for (int i = 0; i < 3; ++i) {
      const absl::optional<uint64_t> parked = store.Park(*blob);
      ASSERT_TRUE(parked.has_value());
      blob = nullptr;
      EXPECT_EQ(store.counters().own_descriptors, 0u);
      EXPECT_EQ(store.counters().segment_blobs, 1u);
      blob = store.Unpark(*parked, 6);
      EXPECT_TRUE(blob->sealed());
      EXPECT_EQ(ReadAll(*blob), "abcdef");
      EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
      EXPECT_EQ(Describe(*blob).segment->id, segment);
      EXPECT_EQ(Describe(*blob).offset, offset);
    }
  }
}

TEST(ParkedBlobTest, KeepsItsBytesFromBeingUsedAgainUntilItIsFoundAndLetGo) {
  MemoryBlobStore store;
  std::shared_ptr<Blob> blob = WrittenHere(store, "abcdef");
  const uint64_t offset = Describe(*blob).offset;
  const absl::optional<uint64_t> parked = store.Park(*blob);
  ASSERT_TRUE(parked.has_value());
  blob = nullptr;
  const std::shared_ptr<Blob> other = WrittenHere(store, "ABCDEF");
  EXPECT_NE(Describe(*other).offset, offset);
  store.ReleaseIdle(Clock::System().Now() + absl::Hours(1));
  blob = store.Unpark(*parked, 6);
  EXPECT_EQ(ReadAll(*blob), "abcdef");
  blob = nullptr;
  EXPECT_EQ(Describe(*WrittenHere(store, "ABCDEF")).offset, offset);
}

TEST(ParkedBlobTest, NoneIsMadeOfBytesThatSomebodyShares) {
  MemoryBlobStore store;
  for (const auto& make : {WrittenByAClient, WrittenHere}) {
    const std::shared_ptr<Blob> blob = make(store, "abcdef");
    FdDescriptor descriptor = Describe(*blob);
    EXPECT_EQ(store.Park(*blob), absl::nullopt);
    descriptor = FdDescriptor();
    ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
    EXPECT_EQ(store.Park(*blob), absl::nullopt);
    EXPECT_EQ(ReadAll(*blob), "abcdef");
    mapping = Mapping();
    EXPECT_NE(store.Park(*blob), absl::nullopt);
  }
}

TEST(ParkedBlobTest, NoneIsMadeOfABlobThatHasMemoryOfItsOwnOrIsNotSealed) {
  MemoryBlobStoreOptions options;
  options.segment_threshold = 3;
  MemoryBlobStore store(options);
  EXPECT_EQ(store.Park(*WrittenByAClient(store, "abcdef")), absl::nullopt);
  EXPECT_EQ(store.Park(*WrittenHere(store, "abcdef")), absl::nullopt);
  ASSERT_OK_AND_ASSIGN(auto blob, store.CreateHere(ObjectId(), 3));
  EXPECT_EQ(store.Park(*blob), absl::nullopt);
}

}  // namespace
}  // namespace packice
