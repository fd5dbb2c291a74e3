// What every BlobStore and its blobs must do. A store's test file includes this and instantiates
// it:
//
//   INSTANTIATE_TEST_SUITE_P(Memfd, BlobStoreConformance, testing::Values(BlobStoreParam{...}),
//                            BlobStoreParam::NameOf);
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blob_store.h"
#include "packice/core/error.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {

// A store, and what it stands on (a temporary directory, a clock, ...).
class BlobStoreUnderTest {
 public:
  virtual ~BlobStoreUnderTest() = default;
  virtual BlobStore& store() = 0;
};

struct BlobStoreParam {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<BlobStoreUnderTest>()> make;
  // The kernel itself refuses changes: Seal finds open writable mappings, and a declared size binds
  // even those who write to the descriptor.
  bool kernel_sealed = false;

  // Of a store that stands on nothing but its constructor's defaults.
  template <typename Store>
  static BlobStoreParam Of(std::string name, bool kernel_sealed = false) {
    struct Plain final : BlobStoreUnderTest {
      BlobStore& store() override { return store_; }
      Store store_;
    };
    return {std::move(name), [] { return std::make_unique<Plain>(); }, kernel_sealed};
  }

  static std::string NameOf(const testing::TestParamInfo<BlobStoreParam>& info) {
    return info.param.name;
  }
};

inline void PrintTo(const BlobStoreParam& param, std::ostream* os) { *os << param.name; }

class BlobStoreConformance : public testing::TestWithParam<BlobStoreParam> {
 protected:
  static constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

  static uint64_t PageSize() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }
  static std::vector<uint64_t> Sizes() {
    return {0, 1, PageSize() - 1, PageSize(), PageSize() + 1, 10 << 20};
  }

  // `size` bytes that differ from their neighbours, from page to page and from seed to seed.
  static std::string Pattern(uint64_t size, uint64_t seed = 1) {
    std::string bytes(size, '\0');
    uint64_t state = seed;
    for (char& byte : bytes) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<char>(state >> 56);
    }
    return bytes;
  }

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size = absl::nullopt) {
    return under_test_->store().Create(size);
  }

  absl::StatusOr<std::unique_ptr<Blob>> CreateSealed(absl::string_view bytes) {
    auto blob = Create(bytes.size());
    if (!blob.ok()) return blob;
    if (absl::Status status = (*blob)->Write(0, bytes); !status.ok()) return status;
    if (absl::Status status = (*blob)->Seal(absl::nullopt); !status.ok()) return status;
    return blob;
  }

  static std::string ReadAll(const Blob& blob) {
    std::string bytes(blob.size(), '\0');
    const absl::StatusOr<size_t> n = blob.Read(0, absl::MakeSpan(bytes.data(), bytes.size()));
    EXPECT_THAT(n, IsOkAndHolds(bytes.size()));
    return bytes;
  }

  std::unique_ptr<BlobStoreUnderTest> under_test_ = GetParam().make();
};

// Of stores with `kernel_sealed`: the raw descriptor behind a blob.
class BlobStoreKernelSeals : public BlobStoreConformance {
 protected:
  void SetUp() override {
    if (!GetParam().kernel_sealed) GTEST_SKIP() << "the kernel does not seal this medium";
  }

  // Valid while the blob lives.
  static FdDescriptor DescriptorOf(const Blob& blob) {
    const BlobDescriptor descriptor = blob.Describe();
    const auto* fd = absl::get_if<FdDescriptor>(&descriptor);
    EXPECT_NE(fd, nullptr) << "a kernel-sealed blob is reached by a descriptor";
    return fd != nullptr ? *fd : FdDescriptor{std::make_shared<UniqueFd>(), 0, 0};
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BlobStoreConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BlobStoreKernelSeals);

// --- Create.

TEST_P(BlobStoreConformance, DeclaredBlobIsThatLongAndZeroFromTheStart) {
  for (uint64_t size : Sizes()) {
    SCOPED_TRACE(size);
    ASSERT_OK_AND_ASSIGN(auto blob, Create(size));
    EXPECT_EQ(blob->size(), size);
    EXPECT_FALSE(blob->sealed());
    EXPECT_EQ(ReadAll(*blob), std::string(size, '\0'));
  }
}

TEST_P(BlobStoreConformance, UndeclaredBlobIsEmptyAndGrowsAsItIsWritten) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create());
  EXPECT_EQ(blob->size(), 0u);
  ASSERT_THAT(blob->Write(0, "abc"), IsOk());
  EXPECT_EQ(blob->size(), 3u);
  ASSERT_THAT(blob->Write(3, "defg"), IsOk());
  EXPECT_EQ(blob->size(), 7u);
  ASSERT_THAT(blob->Write(1, "BC"), IsOk());
  EXPECT_EQ(blob->size(), 7u);
  EXPECT_EQ(ReadAll(*blob), "aBCdefg");
}

TEST_P(BlobStoreConformance, AHoleInAnUndeclaredBlobReadsAsZeros) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create());
  ASSERT_THAT(blob->Write(5000, "end"), IsOk());
  EXPECT_EQ(ReadAll(*blob), std::string(5000, '\0') + "end");
}

TEST_P(BlobStoreConformance, BlobsAreApartFromOneAnother) {
  ASSERT_OK_AND_ASSIGN(auto a, Create(100));
  ASSERT_OK_AND_ASSIGN(auto b, Create(100));
  ASSERT_THAT(a->Write(0, Pattern(100, 1)), IsOk());
  ASSERT_THAT(b->Write(0, Pattern(100, 2)), IsOk());
  a.reset();
  ASSERT_OK_AND_ASSIGN(auto c, Create(100));
  EXPECT_EQ(ReadAll(*c), std::string(100, '\0')) << "room is reused with its former owner's bytes";
  EXPECT_EQ(ReadAll(*b), Pattern(100, 2));
}

TEST_P(BlobStoreConformance, ABlobNoMediumHasRoomForIsCapacity) {
  EXPECT_THAT(Create(uint64_t{1} << 62), HasKind(ErrorKind::kCapacity));
}

TEST_P(BlobStoreConformance, TheStoreServesSeveralThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, &good] {
      for (uint64_t i = 0; i < 20; ++i) {
        const std::string bytes = Pattern(1000 + i, t * 100 + i);
        auto blob = CreateSealed(bytes);
        if (blob.ok() && ReadAll(**blob) == bytes) good.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 80);
}

// --- Read and Write.

TEST_P(BlobStoreConformance, BytesReadAreTheBytesWritten) {
  for (uint64_t size : Sizes()) {
    SCOPED_TRACE(size);
    const std::string bytes = Pattern(size);
    ASSERT_OK_AND_ASSIGN(auto declared, Create(size));
    ASSERT_THAT(declared->Write(0, bytes), IsOk());
    EXPECT_TRUE(ReadAll(*declared) == bytes);
    ASSERT_OK_AND_ASSIGN(auto undeclared, Create());
    ASSERT_THAT(undeclared->Write(0, bytes), IsOk());
    EXPECT_EQ(undeclared->size(), size);
    EXPECT_TRUE(ReadAll(*undeclared) == bytes);
  }
}

TEST_P(BlobStoreConformance, WritesMayComeInAnyOrder) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(6));
  ASSERT_THAT(blob->Write(4, "ef"), IsOk());
  ASSERT_THAT(blob->Write(0, "ab"), IsOk());
  ASSERT_THAT(blob->Write(2, "cd"), IsOk());
  EXPECT_EQ(ReadAll(*blob), "abcdef");
}

TEST_P(BlobStoreConformance, AWritePastTheDeclaredSizeIsInvalidAndChangesNothing) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(4));
  ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
  EXPECT_THAT(blob->Write(0, "12345"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(3, "12"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(4, "1"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(kMax, "1"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(kMax - 1, "123"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_EQ(blob->size(), 4u);
  EXPECT_EQ(ReadAll(*blob), "abcd");
}

TEST_P(BlobStoreConformance, AReadEndsWhereTheBlobEnds) {
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed("abcdef"));
  char out[8] = "-------";
  EXPECT_THAT(blob->Read(4, absl::MakeSpan(out)), IsOkAndHolds(2u));
  EXPECT_EQ(std::string(out), "ef-----");
  EXPECT_THAT(blob->Read(6, absl::MakeSpan(out)), IsOkAndHolds(0u));
  EXPECT_THAT(blob->Read(7, absl::MakeSpan(out)), IsOkAndHolds(0u));
  EXPECT_THAT(blob->Read(kMax, absl::MakeSpan(out)), IsOkAndHolds(0u));
  EXPECT_THAT(blob->Read(0, absl::Span<char>()), IsOkAndHolds(0u));
  EXPECT_EQ(std::string(out), "ef-----");
}

// --- Seal.

TEST_P(BlobStoreConformance, SealFreezesTheBytes) {
  for (uint64_t size : Sizes()) {
    SCOPED_TRACE(size);
    const std::string bytes = Pattern(size);
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(bytes));
    EXPECT_TRUE(blob->sealed());
    EXPECT_EQ(blob->size(), size);
    EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
    EXPECT_THAT(blob->Write(size, "x"), HasKind(ErrorKind::kPermissionDenied));
    EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
    EXPECT_TRUE(ReadAll(*blob) == bytes);
  }
}

TEST_P(BlobStoreConformance, AnUndeclaredBlobSealsAsFarAsItWasWritten) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create());
  ASSERT_THAT(blob->Write(0, "abc"), IsOk());
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_TRUE(blob->sealed());
  EXPECT_EQ(ReadAll(*blob), "abc");
  EXPECT_THAT(blob->Write(3, "d"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(blob->size(), 3u);
}

TEST_P(BlobStoreConformance, SealSetsTheFinalSizeOfAnUndeclaredBlob) {
  const std::pair<uint64_t, std::string> cases[] = {
      {6, "abcdef"}, {2, "ab"}, {0, ""}, {8, std::string("abcdef\0\0", 8)}};
  for (const auto& [size, expected] : cases) {
    SCOPED_TRACE(size);
    ASSERT_OK_AND_ASSIGN(auto blob, Create());
    ASSERT_THAT(blob->Write(0, "abcdef"), IsOk());
    ASSERT_THAT(blob->Seal(size), IsOk());
    EXPECT_EQ(blob->size(), size);
    EXPECT_EQ(ReadAll(*blob), expected);
  }
}

TEST_P(BlobStoreConformance, ASizeThatContradictsTheDeclaredOneIsInvalidAndSealsNothing) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(4));
  EXPECT_THAT(blob->Seal(3), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Seal(5), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_FALSE(blob->sealed());
  EXPECT_THAT(blob->Write(0, "abcd"), IsOk());
  EXPECT_THAT(blob->Seal(4), IsOk());
  EXPECT_EQ(ReadAll(*blob), "abcd");
}

TEST_P(BlobStoreConformance, ADescriptionTellsTheSealedSize) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create());
  ASSERT_THAT(blob->Write(0, "abcdef"), IsOk());
  ASSERT_THAT(blob->Seal(4), IsOk());
  EXPECT_EQ(absl::visit([](const auto& descriptor) { return descriptor.size; }, blob->Describe()),
            4u);
}

TEST_P(BlobStoreConformance, SeveralThreadsReadASealedBlob) {
  const std::string bytes = Pattern(1 << 20);
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(bytes));
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      // Every thread reads all of it, in chunks of its own size.
      std::string chunk(static_cast<size_t>(4096 + t * 1000), '\0');
      std::string all;
      while (all.size() < bytes.size()) {
        auto n = blob->Read(all.size(), absl::MakeSpan(chunk.data(), chunk.size()));
        if (!n.ok() || *n == 0) return;
        all.append(chunk, 0, *n);
      }
      auto mapping = blob->Map(MapAccess::kReadOnly);
      if (all == bytes && mapping.ok() && mapping->view() == bytes) good.fetch_add(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 4);
}

// --- Map.

TEST_P(BlobStoreConformance, AMappingShowsTheBytes) {
  for (uint64_t size : Sizes()) {
    SCOPED_TRACE(size);
    const std::string bytes = Pattern(size);
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(bytes));
    ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
    EXPECT_TRUE(mapping.view() == bytes);
  }
}

TEST_P(BlobStoreConformance, WhatIsWrittenThroughAMappingIsInTheBlob) {
  const std::string bytes = Pattern(3 * PageSize());
  ASSERT_OK_AND_ASSIGN(auto blob, Create(bytes.size()));
  {
    ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadWrite));
    ASSERT_EQ(mapping.bytes().size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), mapping.bytes().begin());
    EXPECT_TRUE(ReadAll(*blob) == bytes);
  }
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_TRUE(ReadAll(*blob) == bytes);
}

TEST_P(BlobStoreConformance, AMappingOutlivesTheBlob) {
  const std::string bytes = Pattern(2 * PageSize());
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(bytes));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  blob.reset();
  // Whoever comes next does not write over it either.
  ASSERT_OK_AND_ASSIGN(auto next, CreateSealed(std::string(bytes.size(), 'x')));
  EXPECT_TRUE(mapping.view() == bytes);
}

// --- What the kernel vouches for.

TEST_P(BlobStoreKernelSeals, SealIsBusyWhileAWritableMappingIsOpen) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(PageSize()));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadWrite));
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kBusy));
  // The blob is as before.
  EXPECT_FALSE(blob->sealed());
  mapping.bytes()[0] = 'm';
  EXPECT_THAT(blob->Write(1, "w"), IsOk());
  mapping = Mapping();
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(ReadAll(*blob).substr(0, 2), "mw");
}

TEST_P(BlobStoreKernelSeals, SealOfAnUndeclaredBlobIsBusyToo) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create());
  ASSERT_THAT(blob->Write(0, "abcdef"), IsOk());
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadWrite));
  EXPECT_THAT(blob->Seal(4), HasKind(ErrorKind::kBusy));
  EXPECT_EQ(blob->size(), 6u);
  EXPECT_THAT(blob->Write(6, "g"), IsOk());
  mapping = Mapping();
  EXPECT_THAT(blob->Seal(7), IsOk());
  EXPECT_EQ(ReadAll(*blob), "abcdefg");
}

TEST_P(BlobStoreKernelSeals, AReadOnlyMappingStandsInNobodysWay) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(PageSize()));
  ASSERT_THAT(blob->Write(0, "abc"), IsOk());
  const FdDescriptor descriptor = DescriptorOf(*blob);
  // Private: the kernel counts a shared mapping of a descriptor open for writing as writable.
  void* base = mmap(nullptr, PageSize(), PROT_READ, MAP_PRIVATE, descriptor.fd->get(),
                    static_cast<off_t>(descriptor.offset));
  ASSERT_NE(base, MAP_FAILED);
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  munmap(base, PageSize());
}

TEST_P(BlobStoreKernelSeals, TheKernelKnowsTheSeals) {
  for (uint64_t size : Sizes()) {
    SCOPED_TRACE(size);
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(Pattern(size)));
    const FdDescriptor descriptor = DescriptorOf(*blob);
    const int seals = fcntl(descriptor.fd->get(), F_GET_SEALS);
    // Shared memory goes on being written by its node, elsewhere.
    const int write = descriptor.segment != nullptr ? F_SEAL_FUTURE_WRITE : F_SEAL_WRITE;
    const int wanted = write | F_SEAL_GROW | F_SEAL_SHRINK;
    EXPECT_EQ(seals & wanted, wanted);
  }
}

TEST_P(BlobStoreKernelSeals, TheRawDescriptorOfASealedBlobRefusesEveryChange) {
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(Pattern(PageSize())));
  const FdDescriptor descriptor = DescriptorOf(*blob);
  const int fd = descriptor.fd->get();
  EXPECT_EQ(pwrite(fd, "x", 1, static_cast<off_t>(descriptor.offset)), -1);
  EXPECT_EQ(ftruncate(fd, 0), -1);
  EXPECT_EQ(ftruncate(fd, static_cast<off_t>(2 * PageSize())), -1);
  EXPECT_EQ(mmap(nullptr, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 static_cast<off_t>(descriptor.offset)),
            MAP_FAILED);
  EXPECT_TRUE(ReadAll(*blob) == Pattern(PageSize()));
}

TEST_P(BlobStoreKernelSeals, ADeclaredSizeBindsTheRawDescriptorBeforeSeal) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(PageSize()));
  const FdDescriptor descriptor = DescriptorOf(*blob);
  const int fd = descriptor.fd->get();
  const off_t end = static_cast<off_t>(descriptor.offset + PageSize());
  EXPECT_EQ(ftruncate(fd, end - 1), -1);
  EXPECT_EQ(ftruncate(fd, end + 1), -1);
  EXPECT_EQ(pwrite(fd, "x", 1, end), -1);
  EXPECT_EQ(blob->size(), PageSize());
  EXPECT_EQ(pwrite(fd, "x", 1, end - 1), 1) << "within its size it can be written";
}

TEST_P(BlobStoreKernelSeals, TheDescriptorOutlivesTheBlob) {
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed("still here"));
  const FdDescriptor descriptor = DescriptorOf(*blob);
  blob.reset();
  char out[10];
  EXPECT_EQ(pread(descriptor.fd->get(), out, sizeof(out), static_cast<off_t>(descriptor.offset)),
            10);
  EXPECT_EQ(std::string(out, sizeof(out)), "still here");
}

}  // namespace packice
