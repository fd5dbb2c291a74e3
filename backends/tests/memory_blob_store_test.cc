#include "packice/backends/memory_blob_store.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "in_child.h"
#include "packice/core/testing/blob_store_conformance.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using Medium = MemoryBlobStoreOptions::Medium;

BlobStoreParam Store(std::string name, MemoryBlobStoreOptions options, bool kernel_sealed) {
  struct UnderTest final : BlobStoreUnderTest {
    explicit UnderTest(const MemoryBlobStoreOptions& options) : store_(options) {}
    BlobStore& store() override { return store_; }
    MemoryBlobStore store_;
  };
  return {std::move(name), [options] { return std::make_unique<UnderTest>(options); },
          kernel_sealed};
}

// Nothing moves to a segment.
MemoryBlobStoreOptions Apart(Medium medium) {
  MemoryBlobStoreOptions options;
  options.medium = medium;
  options.segment_threshold = 0;
  return options;
}

MemoryBlobStoreOptions Of(Medium medium) {
  MemoryBlobStoreOptions options;
  options.medium = medium;
  return options;
}

const auto kStores = testing::Values(
    Store("Default", MemoryBlobStoreOptions(), true), Store("Memfd", Of(Medium::kMemfd), true),
    Store("TempFile", Of(Medium::kTempFile), false), Store("Apart", Apart(Medium::kAuto), true),
    Store("ApartInTempFiles", Apart(Medium::kTempFile), false));
INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreConformance, kStores, BlobStoreParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreKernelSeals, kStores, BlobStoreParam::NameOf);

std::string BytesOf(uint64_t number, size_t size) {
  std::string bytes(size, '\0');
  uint64_t state = number;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<Blob>> CreateSealed(BlobStore& store, absl::string_view bytes) {
  auto blob = store.Create(bytes.size());
  if (!blob.ok()) return blob;
  if (absl::Status status = (*blob)->Write(0, bytes); !status.ok()) return status;
  if (absl::Status status = (*blob)->Seal(absl::nullopt); !status.ok()) return status;
  return blob;
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

TEST(MemoryBlobStoreTest, AHundredThousandSmallBlobsHoldAFewDescriptors) {
  constexpr uint64_t kBlobs = 100'000;
  const size_t before = OpenDescriptors();
  MemoryBlobStore store;
  std::vector<std::unique_ptr<Blob>> blobs;
  for (uint64_t i = 0; i < kBlobs; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, BytesOf(i, 1024)));
    blobs.push_back(std::move(blob));
  }
  EXPECT_EQ(store.counters().own_descriptors, 0u);
  EXPECT_EQ(store.counters().segment_blobs, kBlobs);
  EXPECT_LE(store.counters().reserved_bytes, kBlobs * 1024 * 9 / 8);
  EXPECT_LE(OpenDescriptors() - before, 10u);
  for (uint64_t i = 0; i < kBlobs; ++i) ASSERT_EQ(ReadAll(*blobs[i]), BytesOf(i, 1024)) << i;
}

TEST(MemoryBlobStoreTest, ABlobIsAMemfdWhileItIsWrittenAndInASegmentOnceSealed) {
  MemoryBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto blob, store.Create(6));
  const FdDescriptor before = Describe(*blob);
  EXPECT_EQ(before.segment, nullptr);
  EXPECT_EQ(store.counters().own_descriptors, 1u);
  ASSERT_THAT(blob->Write(0, "abcdef"), IsOk());
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  const FdDescriptor after = Describe(*blob);
  ASSERT_NE(after.segment, nullptr);
  EXPECT_EQ(store.counters().own_descriptors, 0u);
  EXPECT_EQ(ReadAll(before), "abcdef");
  EXPECT_EQ(ReadAll(after), "abcdef");
}

TEST(MemoryBlobStoreTest, ABlobOverTheThresholdKeepsItsMemfd) {
  MemoryBlobStoreOptions options;
  options.segment_threshold = 1000;
  MemoryBlobStore store(options);
  ASSERT_OK_AND_ASSIGN(auto at, CreateSealed(store, BytesOf(1, 1000)));
  ASSERT_OK_AND_ASSIGN(auto over, CreateSealed(store, BytesOf(1, 1001)));
  EXPECT_NE(Describe(*at).segment, nullptr);
  EXPECT_EQ(Describe(*over).segment, nullptr);
  EXPECT_EQ(store.counters().own_descriptors, 1u);
}

TEST(MemoryBlobStoreTest, ASegmentCannotBeWrittenByWhoeverHasItsDescriptor) {
  MemoryBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, "abcdef"));
  const FdDescriptor handle = Describe(*blob);
  const int fd = handle.fd->get();
  EXPECT_EQ(pwrite(fd, "x", 1, static_cast<off_t>(handle.offset)), -1);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(ftruncate(fd, 0), -1);
  EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  void* const shared = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(shared, MAP_FAILED);
  EXPECT_EQ(mprotect(shared, 4096, PROT_READ | PROT_WRITE), -1);
  munmap(shared, 4096);
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const UniqueFd again(open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(again) << "nor does opening it anew help";
  EXPECT_EQ(pwrite(again.get(), "x", 1, 0), -1);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0), MAP_FAILED);
  EXPECT_EQ(ReadAll(*blob), "abcdef");
}

TEST(MemoryBlobStoreTest, BytesAreUsedAgainOnlyWhenNobodySharesThem) {
  MemoryBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto first, CreateSealed(store, "abcdef"));
  FdDescriptor handle = Describe(*first);
  ASSERT_OK_AND_ASSIGN(Mapping mapping, first->Map(MapAccess::kReadOnly));
  first.reset();
  ASSERT_OK_AND_ASSIGN(auto second, CreateSealed(store, "ABCDEF"));
  EXPECT_NE(Describe(*second).offset, handle.offset) << "a descriptor and a mapping are out";
  EXPECT_EQ(ReadAll(handle), "abcdef");
  const uint64_t offset = handle.offset;
  handle = FdDescriptor();
  ASSERT_OK_AND_ASSIGN(auto third, CreateSealed(store, "ABCDEF"));
  EXPECT_NE(Describe(*third).offset, offset) << "a mapping is out";
  EXPECT_EQ(mapping.view(), "abcdef");
  mapping = Mapping();
  ASSERT_OK_AND_ASSIGN(auto fourth, CreateSealed(store, "ABCDEF"));
  EXPECT_EQ(Describe(*fourth).offset, offset);
}

TEST(MemoryBlobStoreTest, WhatThisProcessWritesIsInASegmentFromTheStart) {
  MemoryBlobStore store;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, size_t{3} << 20}) {
    ASSERT_OK_AND_ASSIGN(auto blob, store.CreateHere(ObjectId(), size));
    EXPECT_EQ(store.counters().own_descriptors, 0u);
    const std::string bytes = BytesOf(7, size);
    ASSERT_THAT(blob->Write(0, bytes), IsOk());
    ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
    EXPECT_EQ(ReadAll(*blob), bytes);
    EXPECT_EQ(ReadAll(Describe(*blob)), bytes);
    EXPECT_THAT(blob->Write(0, ""), HasKind(ErrorKind::kPermissionDenied));
    EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kPermissionDenied));
  }
}

TEST(MemoryBlobStoreTest, WhatWasNotWrittenIsZeroWhateverWasThereBefore) {
  MemoryBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto before, CreateSealed(store, std::string(1000, 'x')));
  const uint64_t offset = Describe(*before).offset;
  before.reset();
  ASSERT_OK_AND_ASSIGN(auto blob, store.CreateHere(ObjectId(), 1000));
  ASSERT_EQ(Describe(*blob).offset, offset);
  std::string expected(1000, '\0');
  EXPECT_EQ(ReadAll(*blob), expected);
  ASSERT_THAT(blob->Write(100, "abc"), IsOk());
  expected.replace(100, 3, "abc");
  EXPECT_EQ(ReadAll(*blob), expected);
  ASSERT_THAT(blob->Write(50, "de"), IsOk());
  expected.replace(50, 2, "de");
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(ReadAll(*blob), expected);
  EXPECT_EQ(ReadAll(Describe(*blob)), expected);
}

TEST(MemoryBlobStoreTest, ALargeBlobTakesOverTheWarmMemoryOfOneThatHasGone) {
  MemoryBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto first, store.CreateHere(ObjectId(), 8 << 20));
  const uint64_t segment = Describe(*first).segment->id;
  first.reset();
  ASSERT_OK_AND_ASSIGN(auto second, store.CreateHere(ObjectId(), (8 << 20) - 5000));
  EXPECT_EQ(Describe(*second).segment->id, segment);
  ASSERT_OK_AND_ASSIGN(auto small, store.CreateHere(ObjectId(), 1 << 20));
  second.reset();
  ASSERT_OK_AND_ASSIGN(auto half, store.CreateHere(ObjectId(), 4 << 20));
  EXPECT_NE(Describe(*half).segment->id, segment) << "it would waste half of it";
}

TEST(MemoryBlobStoreTest, MemoryThatNobodyUsesGoesBackAfterAWhile) {
  FakeClock clock;
  MemoryBlobStoreOptions options;
  options.idle_release = absl::Seconds(10);
  options.clock = &clock;
  MemoryBlobStore store(options);
  EXPECT_EQ(store.ReleaseIdle(clock.Now()), absl::InfiniteDuration());
  ASSERT_OK_AND_ASSIGN(auto small, CreateSealed(store, "abcdef"));
  ASSERT_OK_AND_ASSIGN(auto large, store.CreateHere(ObjectId(), 8 << 20));
  EXPECT_EQ(store.ReleaseIdle(clock.Now()), clock.Now() + absl::Seconds(10)) << "to look again";
  small.reset();
  clock.Advance(absl::Seconds(1));
  large.reset();
  EXPECT_EQ(store.counters().segments, 2u);
  EXPECT_EQ(store.ReleaseIdle(clock.Now()), clock.Now() + absl::Seconds(9));
  clock.Advance(absl::Seconds(9));
  EXPECT_EQ(store.ReleaseIdle(clock.Now()), clock.Now() + absl::Seconds(1));
  EXPECT_EQ(store.counters().segments, 1u);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(store.ReleaseIdle(clock.Now()), absl::InfiniteDuration());
  EXPECT_EQ(store.counters().segments, 0u);
  EXPECT_EQ(store.counters().reserved_bytes, 0u);
}

TEST(MemoryBlobStoreTest, WithoutPatienceMemoryGoesBackAtOnce) {
  MemoryBlobStoreOptions options;
  options.idle_release = absl::ZeroDuration();
  MemoryBlobStore store(options);
  ASSERT_OK_AND_ASSIGN(auto small, CreateSealed(store, "abcdef"));
  ASSERT_OK_AND_ASSIGN(auto large, store.CreateHere(ObjectId(), 8 << 20));
  small.reset();
  EXPECT_EQ(store.counters().segments, 1u);
  large.reset();
  EXPECT_EQ(store.counters().segments, 0u);
}

TEST(MemoryBlobStoreTest, ASecondSealIsRefusedAndChangesNothing) {
  MemoryBlobStore store;
  ASSERT_OK_AND_ASSIGN(auto blob, CreateSealed(store, "abcd"));
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(store.counters().segment_blobs, 1u);
}

// Fills a byte of each, over and over, on several threads: nobody ever finds another's bytes.
TEST(MemoryBlobStoreTest, ThreadsMakeAndDestroyBlobsAtTheSameTime) {
  MemoryBlobStore store;
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&store, thread] {
      std::vector<std::pair<std::unique_ptr<Blob>, std::string>> blobs(64);
      for (uint64_t i = 0; i < 2000; ++i) {
        auto& [blob, bytes] = blobs[i * 7 % blobs.size()];
        if (blob != nullptr) {
          ASSERT_EQ(ReadAll(*blob), bytes);
        }
        bytes = BytesOf(thread << 32 | i, i * 37 % 5000);
        ASSERT_OK_AND_ASSIGN(blob, i % 2 == 0 ? CreateSealed(store, bytes)
                                              : store.CreateHere(ObjectId(), bytes.size()));
        if (i % 2 == 0) continue;
        ASSERT_THAT(blob->Write(0, bytes), IsOk());
        ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store.counters().segment_blobs, 0u);
}

TEST(MemoryBlobStoreTest, BlobsOutliveTheStore) {
  auto store = std::make_unique<MemoryBlobStore>();
  ASSERT_OK_AND_ASSIGN(auto sealed, store->Create(4));
  ASSERT_OK_AND_ASSIGN(auto unsealed, store->Create(4));
  ASSERT_THAT(sealed->Write(0, "abcd"), IsOk());
  ASSERT_THAT(sealed->Seal(absl::nullopt), IsOk());
  store.reset();
  char out[4];
  EXPECT_THAT(sealed->Read(0, absl::MakeSpan(out)), IsOkAndHolds(4u));
  EXPECT_EQ(std::string(out, 4), "abcd");
  EXPECT_THAT(unsealed->Seal(absl::nullopt), IsOk());
}

// As a container's sandbox does.
bool ForbidMemfd(unsigned error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {static_cast<unsigned short>(std::size(code)), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(MemoryBlobStoreTest, WhereMemfdIsForbiddenBlobsAreTemporaryFiles) {
  for (unsigned error : {EPERM, ENOSYS}) {
    EXPECT_EQ(InChild([error] {
                if (!ForbidMemfd(error)) return 1;
                MemoryBlobStore strict(Of(Medium::kMemfd));
                if (KindOf(strict.Create(4).status()) != ErrorKind::kUnsupported) return 2;
                MemoryBlobStore store;
                auto blob = store.Create(4);
                if (!blob.ok()) return 3;
                if (!(*blob)->Write(0, "abcd").ok()) return 4;
                if (!(*blob)->Seal(absl::nullopt).ok()) return 5;
                char out[4];
                auto read = (*blob)->Read(0, absl::MakeSpan(out));
                return read.ok() && std::string(out, *read) == "abcd" ? 0 : 6;
              }),
              0);
  }
}

// Runs `body` in a process that may open `limit` descriptors; what it returns is the exit status.
int InChildWithDescriptors(rlim_t limit, const std::function<int()>& body) {
  return InChild([&] {
    const struct rlimit descriptors = {limit, limit};
    return setrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? body() : 100;
  });
}

TEST(MemoryBlobStoreTest, WithoutDescriptorsCreateIsCapacityUntilABlobGoes) {
  EXPECT_EQ(InChildWithDescriptors(100,
                                   [] {
                                     MemoryBlobStore store;
                                     std::vector<std::unique_ptr<Blob>> blobs;
                                     absl::Status failure;
                                     for (int i = 0; i < 200 && failure.ok(); ++i) {
                                       // Large ones, which keep their memfd.
                                       auto blob = store.Create(1 << 20);
                                       failure = blob.status();
                                       if (!failure.ok() || !(*blob)->Seal(absl::nullopt).ok())
                                         break;
                                       blobs.push_back(*std::move(blob));
                                     }
                                     if (failure.ok() || KindOf(failure) != ErrorKind::kCapacity)
                                       return 1;
                                     if (blobs.size() < 50) return 2;
                                     blobs.pop_back();
                                     return store.Create(1 << 20).ok() ? 0 : 3;
                                   }),
            0);
}

}  // namespace
}  // namespace packice
