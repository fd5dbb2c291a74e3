// What a memory store does when its process runs out of something: what lies idle goes first, and
// nobody is left without a descriptor or a mapping.
#include "segment_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "in_child.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A blob that has a segment of its own.
absl::StatusOr<std::unique_ptr<Blob>> Large(MemoryBlobStore& store, uint64_t size) {
  return store.CreateHere(ObjectId(), size);
}

MemoryBlobStoreOptions With(size_t descriptors, size_t mappings) {
  MemoryBlobStoreOptions options;
  options.max_descriptors = descriptors;
  options.max_mappings = mappings;
  return options;
}

uint64_t SegmentOf(const Blob& blob) {
  return absl::get<FdDescriptor>(blob.Describe()).segment->id;
}

TEST(SegmentMemoryTest, IdleMemoryIsGivenUpWhereTheSystemHasNoMore) {
  EXPECT_EQ(InChild([] {
              MemoryBlobStoreOptions options;
              options.max_descriptors = 1000;  // the kernel's limit is met first
              MemoryBlobStore store(options);
              if (!Large(store, kMiB).ok() || !Large(store, 2 * kMiB).ok()) return 1;
              if (store.counters().segments != 2) return 2;  // idle
              const int next = dup(0);
              close(next);
              const rlimit descriptors = {static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
              if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 3;
              if (!Large(store, 4 * kMiB).ok()) return 4;           // in a segment
              if (!Large(store, kMiB).ok()) return 5;               // the same again
              if (!store.CreateHere(ObjectId(), 5).ok()) return 6;  // in a shared one
              if (!store.Create(5).ok()) return 7;                  // a client's memfd
              return 0;
            }),
            0);
}

TEST(SegmentMemoryTest, IdleMemoryIsGivenUpBeforeABlobIsRefused) {
  MemoryBlobStore store(With(2, 1000));
  ASSERT_OK_AND_ASSIGN(auto first, Large(store, kMiB));
  ASSERT_OK_AND_ASSIGN(auto second, Large(store, kMiB));
  EXPECT_THAT(Large(store, 4 * kMiB), HasKind(ErrorKind::kCapacity));
  first.reset();
  EXPECT_EQ(store.counters().segments, 2u) << "it lies idle";
  EXPECT_THAT(Large(store, 4 * kMiB), IsOk());
  EXPECT_THAT(store.Create(kMiB), IsOk());
  EXPECT_THAT(store.CreateHere(ObjectId(), 1000), IsOk());
}

TEST(SegmentMemoryTest, LargeBlobsLeaveDescriptorsForOthers) {
  MemoryBlobStore store(With(10, 1000));
  std::vector<std::unique_ptr<Blob>> blobs;
  for (int i = 0; i < 10; ++i) {
    auto blob = i % 2 == 0 ? Large(store, kMiB) : store.Create(kMiB);
    ASSERT_THAT(blob, IsOk());
    blobs.push_back(*std::move(blob));
  }
  EXPECT_EQ(store.counters().segments, 5u);
  EXPECT_EQ(store.counters().own_descriptors, 5u);
  EXPECT_THAT(Large(store, kMiB), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(store.Create(kMiB), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(store.CreateHere(ObjectId(), 1000), HasKind(ErrorKind::kCapacity));
  blobs.pop_back();
  EXPECT_THAT(Large(store, kMiB), IsOk());
}

TEST(SegmentMemoryTest, LargeBlobsLeaveMappingsForOthers) {
  MemoryBlobStore store(With(1000, 10));
  std::vector<std::unique_ptr<Blob>> blobs;
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, Large(store, kMiB));
    blobs.push_back(std::move(blob));
  }
  EXPECT_THAT(Large(store, kMiB), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(store.Create(kMiB), IsOk()) << "it is not mapped";
  blobs.clear();
  EXPECT_THAT(Large(store, kMiB), IsOk());
}

TEST(SegmentMemoryTest, AnIdleSegmentIsTakenThatWastesLeast) {
  MemoryBlobStore store;
  std::vector<std::unique_ptr<Blob>> blobs;
  for (const uint64_t size : {40 * kMiB, 36 * kMiB, 38 * kMiB}) {
    ASSERT_OK_AND_ASSIGN(auto blob, Large(store, size));
    blobs.push_back(std::move(blob));
  }
  const uint64_t least = SegmentOf(*blobs[1]);
  const uint64_t next = SegmentOf(*blobs[2]);
  const uint64_t most = SegmentOf(*blobs[0]);
  blobs.clear();
  for (const uint64_t expected : {least, next, most}) {
    ASSERT_OK_AND_ASSIGN(auto blob, Large(store, 36 * kMiB));
    EXPECT_EQ(SegmentOf(*blob), expected);
    blobs.push_back(std::move(blob));
  }
  ASSERT_OK_AND_ASSIGN(auto blob, Large(store, 36 * kMiB));
  EXPECT_EQ(store.counters().segments, 4u) << "none is left";
}

}  // namespace
}  // namespace packice
