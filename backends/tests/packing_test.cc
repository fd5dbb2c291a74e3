// Packing under descriptor pressure: the bytes stay right, descriptors and memory stay within
// bounds.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/mutex.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

std::string BytesOf(uint64_t number, size_t size) {
  std::string bytes(size, '\0');
  uint64_t state = number;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

std::string ReadAll(const Blob& blob) {
  std::string bytes(blob.size(), '\0');
  EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
  return bytes;
}

std::string ReadAll(const FdDescriptor& from) {
  std::string bytes(from.size, '\0');
  EXPECT_EQ(pread(from.fd->get(), &bytes[0], bytes.size(), static_cast<off_t>(from.offset)),
            static_cast<ssize_t>(bytes.size()));
  return bytes;
}

FdDescriptor Describe(const Blob& blob) { return absl::get<FdDescriptor>(blob.Describe()); }

size_t OpenDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

absl::StatusOr<std::unique_ptr<Blob>> CreateSealed(BlobStore& store, absl::string_view bytes) {
  auto blob = store.Create(bytes.size());
  if (!blob.ok()) return blob;
  if (absl::Status status = (*blob)->Write(0, bytes); !status.ok()) return status;
  if (absl::Status status = (*blob)->Seal(absl::nullopt); !status.ok()) return status;
  return blob;
}

// Packs four blobs at a time once there are more than `high_water` descriptors.
MemoryBlobStoreOptions Small(size_t high_water) {
  MemoryBlobStoreOptions options;
  options.high_water = high_water;
  options.pack_bytes = 64 * 1024;
  options.pack_blobs = 16;
  options.pack_min_blobs = 4;
  return options;
}

TEST(PackingTest, AHundredThousandBlobsFitIntoTwoThousandDescriptors) {
  constexpr uint64_t kBlobs = 100'000;
  const size_t before = OpenDescriptors();
  MemoryBlobStoreOptions options;
  options.high_water = 1'900;
  MemoryBlobStore store(options);
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < kBlobs; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 1024)));
    blobs.push_back(std::move(blob));
    if (i % 10'000 == 0) {
      ASSERT_LE(OpenDescriptors() - before, 2'000u);
    }
  }
  const MemoryBlobStore::Counters full = store.counters();
  EXPECT_LE(full.own_descriptors + full.packs, 1'901u);
  EXPECT_LE(OpenDescriptors() - before, 2'000u);
  EXPECT_EQ(full.own_descriptors + full.packed_blobs, kBlobs);
  EXPECT_EQ(full.packed_live_bytes, full.packed_blobs * 1024);
  EXPECT_EQ(full.packed_total_bytes, full.packed_live_bytes);
  for (uint64_t i = 0; i < kBlobs; ++i) ASSERT_EQ(ReadAll(*blobs[i]), BytesOf(i, 1024)) << i;

  blobs.clear();
  const MemoryBlobStore::Counters empty = store.counters();
  EXPECT_EQ(empty.own_descriptors, 0u);
  EXPECT_EQ(empty.packs, 0u);
  EXPECT_EQ(empty.packed_total_bytes, 0u);
  EXPECT_LE(OpenDescriptors() - before, 1u) << "only the spare is left";
}

TEST(PackingTest, OldestBlobsArePackedFirst) {
  MemoryBlobStore store(Small(8));
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < 9; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 100)));
    blobs.push_back(std::move(blob));
  }
  // The ninth Create crossed the mark when eight were sealed.
  EXPECT_EQ(store.counters().packed_blobs, 8u);
  EXPECT_EQ(store.counters().own_descriptors, 1u);
  EXPECT_EQ(Describe(*blobs[0]).offset, 0u);
  EXPECT_EQ(Describe(*blobs[1]).offset, 128u) << "64-byte aligned";
  EXPECT_EQ(Describe(*blobs[0]).fd->get(), Describe(*blobs[7]).fd->get());
  EXPECT_EQ(Describe(*blobs[8]).offset, 0u);
}

TEST(PackingTest, WhatWasTakenBeforeStaysGood) {
  MemoryBlobStore store(Small(4));
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, "abcdef"));
  const FdDescriptor before = Describe(*blob);
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  std::vector<std::unique_ptr<Blob>> others;
  for (uint64_t i = 0; i < 8; ++i) {
    ASSERT_OK_AND_ASSIGN(auto other, CreateSealed(store, BytesOf(i, 100)));
    others.push_back(std::move(other));
  }
  const FdDescriptor after = Describe(*blob);
  ASSERT_NE(after.fd->get(), before.fd->get()) << "it should have been packed";
  EXPECT_EQ(after.size, 6u);
  EXPECT_EQ(ReadAll(before), "abcdef");
  EXPECT_EQ(ReadAll(after), "abcdef");
  EXPECT_EQ(mapping.view(), "abcdef");
  ASSERT_OK_AND_ASSIGN(Mapping again, blob->Map(MapAccess::kReadOnly));
  EXPECT_EQ(again.view(), "abcdef");
  others.clear();
  blob.reset();
  EXPECT_EQ(store.counters().packs, 0u);
  EXPECT_EQ(ReadAll(after), "abcdef") << "who was handed the pack keeps it";
}

TEST(PackingTest, APackIsSealedByTheKernel) {
  MemoryBlobStore store(Small(0));
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < 8; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 100)));
    blobs.push_back(std::move(blob));
  }
  ASSERT_EQ(store.counters().packed_blobs, 8u);
  const int wanted = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  for (const auto& blob : blobs) {
    EXPECT_EQ(fcntl(Describe(*blob).fd->get(), F_GET_SEALS) & wanted, wanted);
    EXPECT_TRUE(blob->sealed());
    EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
    EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
  }
}

TEST(PackingTest, LargeAndUnsealedBlobsKeepTheirDescriptors) {
  MemoryBlobStoreOptions options = Small(0);
  options.packable_size = 1'000;
  MemoryBlobStore store(options);
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < 8; ++i) {
    ASSERT_OK_AND_ASSIGN(auto large, CreateSealed(store, BytesOf(i, 1'001)));
    ASSERT_OK_AND_ASSIGN(auto unsealed, store.Create(10));
    blobs.push_back(std::move(large));
    blobs.push_back(std::move(unsealed));
  }
  EXPECT_EQ(store.counters().own_descriptors, 16u);
  EXPECT_EQ(store.counters().packs, 0u);
}

TEST(PackingTest, EmptyBlobsArePackedToo) {
  MemoryBlobStore store(Small(0));
  std::vector<std::unique_ptr<Blob>> blobs;
  for (int i = 0; i < 8; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, ""));
    blobs.push_back(std::move(blob));
  }
  EXPECT_EQ(store.counters().packed_blobs, 8u);
  for (const auto& blob : blobs) {
    EXPECT_EQ(blob->size(), 0u);
    EXPECT_THAT(blob->Map(MapAccess::kReadOnly), IsOk());
  }
  blobs.clear();
  EXPECT_EQ(store.counters().packs, 0u);
}

TEST(PackingTest, FewSurvivorsDoNotHoldAPack) {
  MemoryBlobStoreOptions options;
  options.high_water = 0;
  options.pack_min_blobs = 1'024;
  MemoryBlobStore store(options);
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < 1'024; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 1'024)));
    blobs.push_back(std::move(blob));
  }
  ASSERT_EQ(store.counters().packs, 1u);
  ASSERT_EQ(store.counters().packed_total_bytes, 1u << 20);
  for (size_t i = 3; i < blobs.size(); ++i) {
    blobs[i].reset();
    const MemoryBlobStore::Counters counters = store.counters();
    ASSERT_LE(counters.packed_total_bytes, 4 * counters.packed_live_bytes) << i;
  }
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(ReadAll(*blobs[i]), BytesOf(i, 1'024));
  struct stat info;
  ASSERT_EQ(fstat(Describe(*blobs[0]).fd->get(), &info), 0);
  EXPECT_LE(info.st_size, 12 * 1'024);
}

TEST(PackingTest, SurvivorsOfManyPacksShareOne) {
  MemoryBlobStoreOptions options;
  options.high_water = 0;
  options.pack_blobs = 64;
  options.pack_min_blobs = 64;
  MemoryBlobStore store(options);
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < 64 * 64; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 100)));
    blobs.push_back(std::move(blob));
  }
  ASSERT_EQ(store.counters().packs, 64u);
  for (size_t i = 0; i < blobs.size(); ++i) {
    if (i % 64 != 0) blobs[i].reset();
  }
  const MemoryBlobStore::Counters counters = store.counters();
  EXPECT_EQ(counters.packed_blobs, 64u);
  EXPECT_LE(counters.packs, 12u);
  EXPECT_LE(counters.packed_total_bytes, 4 * counters.packed_live_bytes);
  for (uint64_t i = 0; i < 64; ++i) EXPECT_EQ(ReadAll(*blobs[i * 64]), BytesOf(i * 64, 100));
}

TEST(PackingTest, WhenPackingFailsBlobsStayAsTheyAre) {
  // A limit on the size of files stands for memory that is full: blobs fit, packs do not.
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const struct rlimit tight = {32 * 1024, usual.rlim_max};
  MemoryBlobStoreOptions options;
  options.high_water = 0;
  MemoryBlobStore store(options);
  std::vector<std::unique_ptr<Blob>> blobs;
  const auto add = [&](uint64_t count) {
    for (uint64_t end = blobs.size() + count; blobs.size() < end;) {
      ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(blobs.size(), 1'025)));
      blobs.push_back(std::move(blob));
    }
  };
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  add(500);
  EXPECT_EQ(store.counters().own_descriptors, 500u);
  EXPECT_EQ(store.counters().packs, 0u);
  blobs[7].reset();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  add(500);
  EXPECT_GT(store.counters().packed_blobs, 500u) << "it tries again";
  for (uint64_t i = 0; i < blobs.size(); ++i) {
    if (i != 7) {
      ASSERT_EQ(ReadAll(*blobs[i]), BytesOf(i, 1'025)) << i;
    }
  }
}

TEST(PackingTest, WhenRepackingFailsSurvivorsStayWhereTheyAre) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const struct rlimit tight = {100, usual.rlim_max};
  MemoryBlobStoreOptions options;
  options.high_water = 0;
  options.pack_min_blobs = 1'000;
  MemoryBlobStore store(options);
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < 1'000; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 1'000)));
    blobs.push_back(std::move(blob));
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (size_t i = 200; i < 1'000; ++i) blobs[i].reset();
  EXPECT_EQ(store.counters().packed_total_bytes, 1'024'000u) << "still the first pack";
  for (uint64_t i = 0; i < 200; ++i) ASSERT_EQ(ReadAll(*blobs[i]), BytesOf(i, 1'000)) << i;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  for (size_t i = 20; i < 200; ++i) blobs[i].reset();
  for (size_t i = 0; i < 300; ++i) ASSERT_THAT(store.Create(1), IsOk());
  EXPECT_LE(store.counters().packed_total_bytes, 4 * store.counters().packed_live_bytes);
  for (uint64_t i = 0; i < 20; ++i) ASSERT_EQ(ReadAll(*blobs[i]), BytesOf(i, 1'000)) << i;
  blobs.clear();
  EXPECT_EQ(store.counters().packs, 0u);
}

// Writers, readers and packing all at once; every read must see the blob's own bytes.
TEST(PackingTest, ReadersNeverNoticeThatBlobsMove) {
  constexpr int kWriters = 2;
  constexpr int kReaders = 2;
  constexpr uint64_t kRounds = 3'000;
  constexpr size_t kShelf = 200;
  struct Slot {
    Mutex mutex;
    std::shared_ptr<Blob> blob;
    uint64_t number = 0;
  };
  MemoryBlobStore store(Small(20));
  std::vector<Slot> shelf(kShelf);
  std::atomic<int> writing{kWriters};
  std::atomic<uint64_t> reads{0};

  const auto size_of = [](uint64_t number) { return static_cast<size_t>(number * 37 % 3'000); };
  std::vector<std::thread> threads;
  for (uint64_t w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      std::mt19937_64 random(w);
      for (uint64_t i = 0; i < kRounds; ++i) {
        const uint64_t number = w * kRounds + i;
        auto blob = CreateSealed(store, BytesOf(number, size_of(number)));
        ASSERT_THAT(blob, IsOk());
        Slot& slot = shelf[random() % kShelf];
        std::shared_ptr<Blob> old = *std::move(blob);
        MutexLock lock(slot.mutex);
        std::swap(slot.blob, old);
        slot.number = number;
      }
      writing.fetch_sub(1);
    });
  }
  for (uint64_t r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      std::mt19937_64 random(100 + r);
      while (writing.load() > 0) {
        Slot& slot = shelf[random() % kShelf];
        std::shared_ptr<Blob> blob;
        uint64_t number;
        {
          MutexLock lock(slot.mutex);
          blob = slot.blob;
          number = slot.number;
        }
        if (blob == nullptr) continue;
        const std::string bytes = BytesOf(number, size_of(number));
        ASSERT_EQ(blob->size(), bytes.size());
        ASSERT_EQ(ReadAll(*blob), bytes);
        ASSERT_EQ(ReadAll(Describe(*blob)), bytes);
        auto mapping = blob->Map(MapAccess::kReadOnly);
        ASSERT_THAT(mapping, IsOk());
        ASSERT_EQ(mapping->view(), bytes);
        reads.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(reads.load(), 0u);
  EXPECT_GT(store.counters().packed_blobs, 0u);
  shelf.clear();
  EXPECT_EQ(store.counters().own_descriptors, 0u);
  EXPECT_EQ(store.counters().packed_blobs, 0u);
  EXPECT_EQ(store.counters().packs, 0u);
}

}  // namespace
}  // namespace packice
