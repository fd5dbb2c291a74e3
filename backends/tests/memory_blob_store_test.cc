#include "packice/backends/memory_blob_store.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/blob_store_conformance.h"
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

// Packs every blob the moment it is sealed, and repacks all the time.
MemoryBlobStoreOptions Eager(Medium medium) {
  MemoryBlobStoreOptions options;
  options.medium = medium;
  options.high_water = 0;
  options.packable_size = 1 << 20;
  options.pack_bytes = 64 * 1024;
  options.pack_blobs = 8;
  options.pack_min_blobs = 1;
  return options;
}

MemoryBlobStoreOptions Of(Medium medium) {
  MemoryBlobStoreOptions options;
  options.medium = medium;
  return options;
}

const auto kStores = testing::Values(
    Store("Default", MemoryBlobStoreOptions(), true), Store("Memfd", Of(Medium::kMemfd), true),
    Store("TempFile", Of(Medium::kTempFile), false), Store("Packing", Eager(Medium::kAuto), true),
    Store("PackingTempFile", Eager(Medium::kTempFile), false));
INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreConformance, kStores, BlobStoreParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreKernelSeals, kStores, BlobStoreParam::NameOf);

TEST(MemoryBlobStoreTest, EveryBlobHasADescriptorOfItsOwnAtFirst) {
  MemoryBlobStore store;
  std::vector<std::unique_ptr<Blob>> blobs;
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK_AND_ASSIGN(auto blob, store.Create(1000));
    ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
    EXPECT_EQ(absl::get<FdDescriptor>(blob->Describe()).offset, 0u);
    blobs.push_back(std::move(blob));
  }
  EXPECT_EQ(store.counters().own_descriptors, 100u);
  EXPECT_EQ(store.counters().packs, 0u);
  blobs.clear();
  EXPECT_EQ(store.counters().own_descriptors, 0u);
}

TEST(MemoryBlobStoreTest, ASecondSealIsRefusedAndChangesNothing) {
  MemoryBlobStore store(Eager(Medium::kAuto));
  ASSERT_OK_AND_ASSIGN(auto blob, store.Create(4));
  ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(store.counters().packed_blobs, 1u);
}

TEST(MemoryBlobStoreTest, BlobsOutliveTheStore) {
  auto store = std::make_unique<MemoryBlobStore>(Eager(Medium::kAuto));
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

// Runs `body` in a child process; what it returns is the exit status.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
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
                                       // Large ones, which are never packed.
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

TEST(MemoryBlobStoreTest, WithoutDescriptorsSmallBlobsArePackedBelowTheMark) {
  EXPECT_EQ(InChildWithDescriptors(100,
                                   [] {
                                     MemoryBlobStoreOptions options;
                                     options.high_water = 1'000'000;
                                     MemoryBlobStore store(options);
                                     std::vector<std::unique_ptr<Blob>> blobs;
                                     for (int i = 0; i < 1'000; ++i) {
                                       auto blob = store.Create(100);
                                       if (!blob.ok()) return 1;
                                       if (!(*blob)->Write(0, std::to_string(i)).ok()) return 2;
                                       if (!(*blob)->Seal(absl::nullopt).ok()) return 3;
                                       blobs.push_back(*std::move(blob));
                                     }
                                     for (int i = 0; i < 1'000; ++i) {
                                       std::string bytes = std::to_string(i);
                                       std::string read(bytes.size(), '\0');
                                       if (!blobs[static_cast<size_t>(i)]
                                                ->Read(0, absl::MakeSpan(&read[0], read.size()))
                                                .ok())
                                         return 4;
                                       if (read != bytes) return 5;
                                     }
                                     return 0;
                                   }),
            0);
}

}  // namespace
}  // namespace packice
