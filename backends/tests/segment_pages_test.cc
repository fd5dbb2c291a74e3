// What --huge-pages, --prefault and --lock-memory make of a segment, as the kernel tells it.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/testing/status_matchers.h"

// Linux 5.14; the C library may be older than the kernel.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace packice {
namespace {

constexpr uint64_t kSegment = 16 << 20;  // the first one
constexpr uint64_t kStep = 1 << 20;      // what is taken of it at a time

// All mappings of segments in this process, from /proc/self/smaps; bytes.
struct Mapped {
  uint64_t size = 0;
  uint64_t resident = 0;
  uint64_t locked = 0;
  bool advised_huge = false;  // madvise(2), MADV_HUGEPAGE
  bool mlocked = false;
};

Mapped MappedSegments() {
  Mapped all;
  std::ifstream file("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.empty() || name.back() != ':') {
      inside = absl::StrContains(line, "/memfd:packice-segment");
      continue;
    }
    if (!inside) continue;
    if (name == "VmFlags:") {
      for (std::string flag; words >> flag;) {
        all.advised_huge |= flag == "hg";
        all.mlocked |= flag == "lo";
      }
      continue;
    }
    uint64_t kib = 0;
    words >> kib;
    if (name == "Size:") all.size += kib * 1024;
    if (name == "Rss:") all.resident += kib * 1024;
    if (name == "Locked:") all.locked += kib * 1024;
  }
  return all;
}

// Some of the system's own refuses these; a mapping of this process's own finds out.
bool Advises(int advice) {
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const bool can = madvise(page, 4096, advice) == 0;
  munmap(page, 4096);
  return can;
}

class SegmentPagesTest : public testing::Test {
 protected:
  // A small blob, and with it a segment.
  void Make(SegmentPages pages) {
    MemoryBlobStoreOptions options;
    options.medium = MemoryBlobStoreOptions::Medium::kMemfd;
    options.pages = pages;
    store_ = std::make_unique<MemoryBlobStore>(options);
    absl::StatusOr<std::unique_ptr<Blob>> blob = store_->CreateHere(ObjectId(), 1000);
    ASSERT_THAT(blob, IsOk());
    blob_ = *std::move(blob);
  }

  std::unique_ptr<MemoryBlobStore> store_;
  std::unique_ptr<Blob> blob_;
};

TEST_F(SegmentPagesTest, WithoutOptionsMemoryIsTakenAsItIsNeededAndNothingElseIsAsked) {
  Make({});
  const Mapped mapped = MappedSegments();
  EXPECT_EQ(mapped.size, kSegment);
  EXPECT_LE(mapped.resident, kStep);
  EXPECT_EQ(store_->counters().reserved_bytes, kStep);
  EXPECT_FALSE(mapped.advised_huge);
  EXPECT_FALSE(mapped.mlocked);
}

TEST_F(SegmentPagesTest, PrefaultedSegmentsAreResidentFromTheStart) {
  Make({/*huge=*/false, /*prefault=*/true, /*lock=*/false});
  EXPECT_EQ(store_->counters().reserved_bytes, kSegment);
  struct stat status;
  ASSERT_THAT(blob_->Write(0, std::string(1000, 'x')), IsOk());
  ASSERT_THAT(blob_->Seal(absl::nullopt), IsOk());
  const BlobDescriptor described = blob_->Describe();
  ASSERT_EQ(fstat(absl::get<FdDescriptor>(described).fd->get(), &status), 0);
  EXPECT_GE(static_cast<uint64_t>(status.st_blocks) * 512, kSegment);
  if (!Advises(MADV_POPULATE_WRITE)) GTEST_SKIP() << "no MADV_POPULATE_WRITE (Linux 5.14)";
  EXPECT_EQ(MappedSegments().resident, kSegment) << "no write costs a fault";
}

TEST_F(SegmentPagesTest, HugePagesAreAskedForTheWholeSegment) {
  if (!Advises(MADV_HUGEPAGE)) GTEST_SKIP() << "a kernel without transparent huge pages";
  Make({/*huge=*/true, /*prefault=*/false, /*lock=*/false});
  EXPECT_TRUE(MappedSegments().advised_huge);
}

TEST_F(SegmentPagesTest, LockedMemoryStaysInMemory) {
  rlimit most;
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &most), 0);
  if (geteuid() != 0 && most.rlim_cur < 2 * kStep) GTEST_SKIP() << "ulimit -l is too low";
  Make({/*huge=*/false, /*prefault=*/false, /*lock=*/true});
  EXPECT_TRUE(MappedSegments().mlocked);
  EXPECT_EQ(MappedSegments().locked, kStep);
  Make({/*huge=*/false, /*prefault=*/true, /*lock=*/true});
  EXPECT_EQ(MappedSegments().locked, kSegment);
}

TEST_F(SegmentPagesTest, WhereMemoryMayNotBeLockedABlobIsRefusedAndToldWhy) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit few = {64 << 10, 64 << 10};
    if (setrlimit(RLIMIT_MEMLOCK, &few) != 0) _exit(1);
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);  // root may lock what it likes
    MemoryBlobStoreOptions options;
    options.pages.lock = true;
    MemoryBlobStore store(options);
    const absl::Status status = store.CreateHere(ObjectId(), 1000).status();
    if (status.ok() || KindOf(status) != ErrorKind::kCapacity) _exit(3);
    _exit(absl::StrContains(status.message(), "ulimit -l") ? 0 : 4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace packice
