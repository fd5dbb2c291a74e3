// A copy has all bytes of its original, whatever the two blobs are made of, and leaves nothing open
// that would be in the way of a Seal.
#include "copy_blob.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/file_blob_store.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/backends/temp_file_blob.h"
#include "packice/core/error.h"
#include "packice/core/path_blob.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/status_matchers.h"
#include "temp_dir.h"

namespace packice {
namespace {

const std::function<bool()> kGoOn = [] { return true; };

std::string Pattern(size_t size) {
  std::string bytes(size + sizeof(uint64_t), '\0');
  uint64_t x = size;
  for (size_t at = 0; at < size; at += sizeof(x)) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(&bytes[at], &x, sizeof(x));
  }
  bytes.resize(size);
  return bytes;
}

std::string BytesOf(const Blob& blob) {
  std::string bytes(blob.size(), '\0');
  EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
  return bytes;
}

// Makes blobs of one kind.
class Medium {
 public:
  virtual ~Medium() = default;
  virtual std::shared_ptr<Blob> Create(absl::optional<uint64_t> size) = 0;
  // As one that another process was granted sees it.
  virtual std::shared_ptr<Blob> SeenAfterSeal(std::shared_ptr<Blob> blob) { return blob; }
};

class Memory : public Medium {
 public:
  std::shared_ptr<Blob> Create(absl::optional<uint64_t> size) override {
    return *store_.Create(size);
  }

 private:
  MemoryBlobStore store_;
};

class Heap : public Medium {
 public:
  std::shared_ptr<Blob> Create(absl::optional<uint64_t> size) override {
    return *store_.Create(size);
  }

 private:
  HeapBlobStore store_;
};

class Disk : public Medium {
 public:
  std::shared_ptr<Blob> Create(absl::optional<uint64_t> size) override {
    return *store_.CreateFor(*ObjectId::Parse("x"), size);
  }

 private:
  TempDir directory_;
  FileBlobStore store_{*DataDirectory::Open(directory_.path()), FileBlobHooks(), 1};
};

class DiskOfAnother : public Disk {
 public:
  std::shared_ptr<Blob> SeenAfterSeal(std::shared_ptr<Blob> blob) override {
    originals_.push_back(blob);
    return *PathBlob::OpenSealed(absl::get<PathDescriptor>(blob->Describe()));
  }

 private:
  std::vector<std::shared_ptr<Blob>> originals_;
};

std::unique_ptr<Medium> Make(const std::string& name) {
  if (name == "Memory") return std::make_unique<Memory>();
  if (name == "Heap") return std::make_unique<Heap>();
  if (name == "Disk") return std::make_unique<Disk>();
  return std::make_unique<DiskOfAnother>();
}

class CopyBlobTest : public testing::TestWithParam<std::tuple<std::string, std::string, size_t>> {
 protected:
  std::shared_ptr<Blob> Sealed(absl::string_view bytes) {
    std::shared_ptr<Blob> blob = from_->Create(bytes.size());
    EXPECT_THAT(blob->Write(0, bytes), IsOk());
    EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
    return from_->SeenAfterSeal(blob);
  }

  const std::unique_ptr<Medium> from_ = Make(std::get<0>(GetParam()));
  const std::unique_ptr<Medium> to_ = Make(std::get<1>(GetParam()));
  const size_t size_ = std::get<2>(GetParam());
};

TEST_P(CopyBlobTest, HasTheSameBytesAndCanBeSealedAtOnce) {
  const std::string bytes = Pattern(size_);
  const std::shared_ptr<Blob> from = Sealed(bytes);
  const std::shared_ptr<Blob> to = to_->Create(size_);
  ASSERT_THAT(CopyBlob(*from, *to, kGoOn), IsOk());
  ASSERT_THAT(to->Seal(absl::nullopt), IsOk());
  EXPECT_TRUE(BytesOf(*to) == bytes);
  EXPECT_TRUE(BytesOf(*from) == bytes);
}

TEST_P(CopyBlobTest, NeedsNoDeclaredSize) {
  const std::string bytes = Pattern(size_);
  const std::shared_ptr<Blob> from = Sealed(bytes);
  const std::shared_ptr<Blob> to = to_->Create(absl::nullopt);
  ASSERT_THAT(CopyBlob(*from, *to, kGoOn), IsOk());
  ASSERT_THAT(to->Seal(absl::nullopt), IsOk());
  EXPECT_TRUE(BytesOf(*to) == bytes);
}

TEST_P(CopyBlobTest, KeepsNoDescriptor) {
  const auto count = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  const std::shared_ptr<Blob> from = Sealed(Pattern(size_));
  const std::shared_ptr<Blob> to = to_->Create(size_);
  const auto before = count();
  ASSERT_THAT(CopyBlob(*from, *to, kGoOn), IsOk());
  EXPECT_EQ(count(), before);
}

TEST_P(CopyBlobTest, RefusesToGoBeyondADeclaredSize) {
  if (size_ == 0) GTEST_SKIP() << "nothing is smaller";
  const std::shared_ptr<Blob> from = Sealed(Pattern(size_));
  const std::shared_ptr<Blob> to = to_->Create(size_ - 1);
  EXPECT_THAT(CopyBlob(*from, *to, kGoOn), HasKind(ErrorKind::kInvalidArgument));
}

TEST_P(CopyBlobTest, RefusesASealedTarget) {
  const std::shared_ptr<Blob> from = Sealed(Pattern(size_));
  const std::shared_ptr<Blob> to = to_->Create(size_);
  ASSERT_THAT(to->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(CopyBlob(*from, *to, kGoOn), HasKind(ErrorKind::kPermissionDenied));
}

TEST_P(CopyBlobTest, StopsWhenTold) {
  const std::shared_ptr<Blob> from = Sealed(Pattern(size_));
  const std::shared_ptr<Blob> to = to_->Create(size_);
  EXPECT_THAT(CopyBlob(*from, *to, [] { return false; }), HasKind(ErrorKind::kUnavailable));
  // After the first piece of those that have several.
  constexpr size_t kAskEvery = 16 << 20;
  int asked = 0;
  EXPECT_EQ(CopyBlob(*from, *to, [&] { return ++asked <= 1; }).ok(), size_ <= kAskEvery);
  EXPECT_EQ(asked, size_ <= kAskEvery ? 1 : 2);
}

// Small ones go through a buffer, others by handle where there is one; at the border of a piece and
// of a page and behind it; beyond what is copied without asking.
INSTANTIATE_TEST_SUITE_P(
    Kinds, CopyBlobTest,
    testing::Combine(testing::Values("Memory", "Heap", "Disk", "DiskOfAnother"),
                     testing::Values("Memory", "Heap", "Disk"),
                     testing::Values(0, 256 << 10, (256 << 10) + 1, (4 << 20) + 17, 17 << 20)),
    [](const auto& made) {
      return std::get<0>(made.param) + "To" + std::get<1>(made.param) +
             std::to_string(std::get<2>(made.param));
    });

// Small sealed blobs share a segment, at offsets of their own.
TEST(CopyBlobFromASegment, TakesItsOwnBytesOnly) {
  MemoryBlobStoreOptions options;
  options.segment_threshold = 1 << 20;
  MemoryBlobStore store(options);
  std::vector<std::shared_ptr<Blob>> blobs;
  for (size_t i = 0; i < 100; ++i) {
    const std::string bytes = Pattern((300 << 10) + i);
    blobs.push_back(*store.Create(bytes.size()));
    ASSERT_THAT(blobs.back()->Write(0, bytes), IsOk());
    ASSERT_THAT(blobs.back()->Seal(absl::nullopt), IsOk());
  }
  Disk disk;
  bool shared = false;
  for (size_t i = 0; i < blobs.size(); ++i) {
    shared |= absl::get<FdDescriptor>(blobs[i]->Describe()).offset > 0;
    const std::shared_ptr<Blob> to = disk.Create(blobs[i]->size());
    ASSERT_THAT(CopyBlob(*blobs[i], *to, kGoOn), IsOk());
    ASSERT_THAT(to->Seal(absl::nullopt), IsOk());
    ASSERT_TRUE(BytesOf(*to) == Pattern((300 << 10) + i)) << i;
  }
  EXPECT_TRUE(shared) << "the test did not see what it is about";
}

class CopyBlobFaultTest : public testing::Test {
 protected:
  static constexpr size_t kSize = 6 << 20;

  std::shared_ptr<Blob> SealedOnDisk() {
    std::shared_ptr<Blob> blob = disk_.Create(kSize);
    EXPECT_THAT(blob->Write(0, Pattern(kSize)), IsOk());
    EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
    return blob;
  }
  static std::string PathOf(const Blob& blob) {
    return absl::get<PathDescriptor>(blob.Describe()).path;
  }

  Disk disk_;
  Memory memory_;
};

TEST_F(CopyBlobFaultTest, ASourceThatWasCutOffIsCorrupt) {
  const std::shared_ptr<Blob> from = SealedOnDisk();
  std::filesystem::permissions(PathOf(*from), std::filesystem::perms::owner_all);
  for (const size_t length :
       {kSize - 1, kSize - 4096, size_t{5} << 20, size_t{1} << 20, size_t{0}}) {
    std::filesystem::resize_file(PathOf(*from), length);
    const std::shared_ptr<Blob> to = memory_.Create(kSize);
    EXPECT_THAT(CopyBlob(*from, *to, kGoOn), HasKind(ErrorKind::kCorrupt)) << length;
  }
}

// While the copy is under way, which must not be the end of the process.
TEST_F(CopyBlobFaultTest, ASourceThatIsCutOffMeanwhileIsCorrupt) {
  const std::shared_ptr<Blob> from = SealedOnDisk();
  std::filesystem::permissions(PathOf(*from), std::filesystem::perms::owner_all);
  const std::shared_ptr<Blob> to = memory_.Create(kSize);
  const auto cut = [&] {
    std::filesystem::resize_file(PathOf(*from), 100);
    return true;
  };
  EXPECT_THAT(CopyBlob(*from, *to, cut), HasKind(ErrorKind::kCorrupt));
}

// Whoever can put a name in the place of a file being written gets nothing written elsewhere.
TEST_F(CopyBlobFaultTest, DoesNotFollowALinkInTheTargetsPlace) {
  const std::shared_ptr<Blob> from = SealedOnDisk();
  TempDir elsewhere;
  const std::string victim = elsewhere.path() + "/victim";
  for (const bool hard : {false, true}) {
    std::ofstream(victim) << std::string(kSize, 'v');
    const std::shared_ptr<Blob> to = disk_.Create(kSize);
    const std::string path = PathOf(*to);
    std::filesystem::remove(path);
    std::error_code failed;
    if (hard) {
      std::filesystem::create_hard_link(victim, path, failed);
    } else {
      std::filesystem::create_symlink(victim, path, failed);
    }
    ASSERT_FALSE(failed);
    CopyBlob(*from, *to, kGoOn).IgnoreError();
    std::ifstream file(victim);
    EXPECT_EQ(file.get(), 'v') << (hard ? "a hard link" : "a symbolic link");
  }
}

TEST_F(CopyBlobFaultTest, AFullTargetIsAFailure) {
  const std::shared_ptr<Blob> from = SealedOnDisk();
  const std::shared_ptr<Blob> to = disk_.Create(kSize);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {kSize / 2, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  const absl::Status status = CopyBlob(*from, *to, kGoOn);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(status, HasKind(ErrorKind::kIo));
}

}  // namespace
}  // namespace packice
