#include "packice/backends/file_blob.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "data_directory_fixture.h"
#include "packice/backends/file_blob_store.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/testing/blob_store_conformance.h"

namespace packice {
namespace {

std::shared_ptr<const DataDirectory> OpenDirectory(const TemporaryDirectory& temporary) {
  auto directory = DataDirectory::Open(temporary / "data");
  EXPECT_THAT(directory, IsOk());
  return *std::move(directory);
}

BlobStoreParam Param() {
  struct UnderTest final : BlobStoreUnderTest {
    BlobStore& store() override { return store_; }
    TemporaryDirectory temporary_;
    FileBlobStore store_{OpenDirectory(temporary_), FileBlobHooks(), 1};
  };
  return {"File", [] { return std::make_unique<UnderTest>(); }, /*kernel_sealed=*/false};
}
INSTANTIATE_TEST_SUITE_P(File, BlobStoreConformance, testing::Values(Param()),
                         BlobStoreParam::NameOf);

class FileBlobTest : public testing::Test {
 protected:
  std::unique_ptr<FileBlob> Create(absl::optional<uint64_t> size = absl::nullopt) {
    auto blob = store_.CreateFor(*ObjectId::Parse("an object"), size);
    EXPECT_THAT(blob, IsOk());
    return std::unique_ptr<FileBlob>(static_cast<FileBlob*>(blob->release()));
  }
  std::unique_ptr<FileBlob> CreateSealed(const std::string& bytes) {
    std::unique_ptr<FileBlob> blob = Create(bytes.size());
    EXPECT_THAT(blob->Write(0, bytes), IsOk());
    EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
    return blob;
  }
  static std::string PathOf(const Blob& blob) {
    return absl::get<PathDescriptor>(blob.Describe()).path;
  }
  static std::string ReadAll(const Blob& blob) {
    std::string bytes(blob.size(), '\0');
    EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
    return bytes;
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info;
    return lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }

  TemporaryDirectory temporary_;
  std::shared_ptr<const DataDirectory> directory_ = OpenDirectory(temporary_);
  std::vector<BlobName> unlinked_;
  FileBlobHooks hooks_{
      [](const BlobName&) { return PieceSums{{HashPiece("as the catalog has it")}}; },
      [this](const BlobName& name) { unlinked_.push_back(name); }};
  FileBlobStore store_{directory_, hooks_, 0x1000000002a};
};

// --- Names.

TEST_F(FileBlobTest, AFileIsPrivateUntilSealAndThenReadOnlyBelowItsShard) {
  std::unique_ptr<FileBlob> blob = Create(4);
  EXPECT_EQ(PathOf(*blob), temporary_ / "data/attachments/000001000000002a");
  EXPECT_EQ(ModeOf(PathOf(*blob)), 0600u);
  ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(blob->name().shard, BlobName::ShardOf(*ObjectId::Parse("an object")));
  EXPECT_EQ(PathOf(*blob), directory_->PathOf(blob->name().object()));
  EXPECT_EQ(ModeOf(PathOf(*blob)), 0400u);
  EXPECT_EQ(ReadFile(PathOf(*blob)), "abcd");
  EXPECT_TRUE(std::filesystem::is_empty(temporary_ / "data/attachments"));
}

TEST_F(FileBlobTest, NamesAreReadOnlyAsTheyAreWritten) {
  EXPECT_EQ(BlobName::ParseNumber("000001000000002a"), 0x1000000002au);
  for (const char* name : {"", "2a", "000001000000002A", "0x0001000000002a", "000001000000002a.",
                           "../../etc/passwd", "000001000000002g", " 00001000000002a"}) {
    EXPECT_EQ(BlobName::ParseNumber(name), absl::nullopt) << name;
  }
}

// --- Who else writes.

TEST_F(FileBlobTest, AForeignProcessWritesByThePath) {
  for (absl::optional<uint64_t> size : {absl::optional<uint64_t>(), absl::optional<uint64_t>(9)}) {
    std::unique_ptr<FileBlob> blob = Create(size);
    WriteFile(PathOf(*blob), "from a cp");
    EXPECT_EQ(blob->size(), 9u);
    ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
    EXPECT_EQ(ReadAll(*blob), "from a cp");
    EXPECT_THAT(blob->Sums(), IsOk());
    EXPECT_EQ(blob->Sums()->pieces, std::vector<Digest>{HashPiece("from a cp")});
  }
}

TEST_F(FileBlobTest, AFileThatReplacedTheAttachmentIsWhatIsSealed) {
  std::unique_ptr<FileBlob> blob = Create();
  ASSERT_THAT(blob->Write(0, "the old one"), IsOk());
  WriteFile(temporary_ / "new", "the new one, by mv");
  std::filesystem::rename(temporary_ / "new", PathOf(*blob));
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(ReadAll(*blob), "the new one, by mv");
  EXPECT_EQ(ModeOf(PathOf(*blob)), 0400u);
}

TEST_F(FileBlobTest, WhatIsNotAFileOfItsOwnIsNotSealed) {
  WriteFile(temporary_ / "elsewhere", "bytes");
  const std::function<void(const std::string&)> replacements[] = {
      [&](const std::string& path) {
        std::filesystem::create_symlink(temporary_ / "elsewhere", path);
      },
      [&](const std::string& path) {
        std::filesystem::create_hard_link(temporary_ / "elsewhere", path);
      },
      [&](const std::string& path) { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); },
      [&](const std::string& path) { std::filesystem::create_directory(path); },
      [&](const std::string&) {},  // nothing there
  };
  for (const auto& replace : replacements) {
    std::unique_ptr<FileBlob> blob = Create();
    const std::string path = PathOf(*blob);
    std::filesystem::remove(path);
    replace(path);
    EXPECT_FALSE(blob->Seal(absl::nullopt).ok());
    EXPECT_FALSE(blob->sealed());
    std::filesystem::remove(path);
  }
  EXPECT_EQ(ReadFile(temporary_ / "elsewhere"), "bytes");
  EXPECT_EQ(ModeOf(temporary_ / "elsewhere") & 0200, 0200u) << "the foreign file was changed";
}

TEST_F(FileBlobTest, ADeclaredSizeIsCheckedAtSealAndTheWriterMayMendIt) {
  std::unique_ptr<FileBlob> blob = Create(4);
  for (const char* wrong : {"abc", "abcde", ""}) {
    WriteFile(PathOf(*blob), wrong);
    EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kInvalidArgument)) << wrong;
    EXPECT_EQ(ModeOf(PathOf(*blob)), 0600u);
  }
  WriteFile(PathOf(*blob), "abcd");
  ASSERT_THAT(blob->Seal(4), IsOk());
  EXPECT_EQ(ReadAll(*blob), "abcd");
}

TEST_F(FileBlobTest, SealIsBusyWhileAnybodyHasTheFileOpenForWriting) {
  std::unique_ptr<FileBlob> blob = Create(4);
  const std::string path = PathOf(*blob);
  {
    UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(writer);
    EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kBusy));
    EXPECT_EQ(ModeOf(path), 0600u) << "as before";
    EXPECT_THAT(blob->Write(0, "abcd"), IsOk()) << "as before";
  }
  {
    ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadWrite));
    EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kBusy));
    mapping.bytes()[0] = 'A';
  }
  UniqueFd reader(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk()) << "a reader is in nobody's way";
  EXPECT_EQ(ReadAll(*blob), "Abcd");
}

TEST_F(FileBlobTest, SealOfAnotherSizeIsBusyBeforeAnythingIsCutOff) {
  std::unique_ptr<FileBlob> blob = Create();
  ASSERT_THAT(blob->Write(0, "abcdef"), IsOk());
  UniqueFd writer(open(PathOf(*blob).c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_THAT(blob->Seal(4), HasKind(ErrorKind::kBusy));
  EXPECT_EQ(ReadAll(*blob), "abcdef");
  writer.Reset();
  ASSERT_THAT(blob->Seal(4), IsOk());
  EXPECT_EQ(ReadAll(*blob), "abcd");
}

// The kernel tells the holder of the lease about them by a signal, which must not end the process.
TEST_F(FileBlobTest, WritersThatComeWhileItIsSealedDoNoHarm) {
  for (int round = 0; round < 20; ++round) {
    std::unique_ptr<FileBlob> blob = Create(1 << 20);
    ASSERT_THAT(blob->Write(0, PatternOf(1 << 20)), IsOk());
    const std::string path = PathOf(*blob);
    std::atomic<bool> stop{false};
    std::thread intruder([&] {
      while (!stop.load()) UniqueFd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    });
    absl::Status status = blob->Seal(absl::nullopt);
    while (!status.ok() && KindOf(status) == ErrorKind::kBusy) status = blob->Seal(absl::nullopt);
    EXPECT_THAT(status, IsOk());
    stop.store(true);
    intruder.join();
    EXPECT_THAT(blob->Verify(/*thoroughly=*/true), IsOk());
  }
}

// --- Sums.

TEST_F(FileBlobTest, EveryPieceHasItsSum) {
  constexpr size_t kPiece = PieceSums::kPieceBytes;
  for (size_t size : {size_t{0}, size_t{1}, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece + 17}) {
    const std::string bytes = PatternOf(size);
    std::unique_ptr<FileBlob> blob = CreateSealed(bytes);
    std::vector<Digest> expected;
    for (size_t at = 0; at < size; at += kPiece) {
      expected.push_back(HashPiece(absl::string_view(bytes).substr(at, kPiece)));
    }
    ASSERT_THAT(blob->Sums(), IsOk());
    EXPECT_EQ(blob->Sums()->pieces, expected) << size;
  }
}

// What `printf abc | xxhsum -H2` prints.
TEST(PieceHashTest, IsXxh3InCanonicalOrder) {
  const Digest digest = HashPiece("abc");
  std::string hex;
  for (uint8_t byte : digest) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
  EXPECT_EQ(hex, "06b05ab6733a618578af5f94892f3950");
}

TEST_F(FileBlobTest, SumsOfABlobThatWasOpenedComeFromTheCatalog) {
  std::unique_ptr<FileBlob> opened = store_.Open(BlobName{7, 3}, 21, 4096);
  ASSERT_THAT(opened->Sums(), IsOk());
  EXPECT_EQ(opened->Sums()->pieces.front(), HashPiece("as the catalog has it"));
  EXPECT_EQ(opened->size(), 21u);
  EXPECT_EQ(opened->footprint(), 4096u);
  EXPECT_TRUE(opened->sealed());
}

TEST_F(FileBlobTest, VerifyFindsDamage) {
  const std::string bytes = PatternOf((2 << 20) + 5);
  std::unique_ptr<FileBlob> blob = CreateSealed(bytes);
  const std::string path = PathOf(*blob);
  EXPECT_THAT(blob->Verify(true), IsOk());

  std::string flipped = bytes;
  flipped[(1 << 20) + 3] = static_cast<char>(flipped[(1 << 20) + 3] ^ 1);
  WriteFile(path, flipped);
  EXPECT_THAT(blob->Verify(false), IsOk()) << "a quick look does not read";
  EXPECT_THAT(blob->Verify(true), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(std::string(blob->Verify(true).message()), testing::HasSubstr("1 MiB: 1"));

  WriteFile(path, bytes.substr(1));
  EXPECT_THAT(blob->Verify(false), HasKind(ErrorKind::kCorrupt));
  char out[8];
  EXPECT_THAT(blob->Read(bytes.size() - 4, absl::MakeSpan(out)), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(blob->Map(MapAccess::kReadOnly), HasKind(ErrorKind::kCorrupt));
  std::filesystem::remove(path);
  EXPECT_THAT(blob->Verify(false), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(blob->Read(0, absl::MakeSpan(out)), HasKind(ErrorKind::kIo));
}

// --- What becomes of the file.

TEST_F(FileBlobTest, AFileGoesWithItsBlobUnlessItIsKept) {
  std::string unsealed;
  std::string sealed;
  std::string kept;
  {
    std::unique_ptr<FileBlob> a = Create(4);
    unsealed = PathOf(*a);
    std::unique_ptr<FileBlob> b = CreateSealed("abcd");
    sealed = PathOf(*b);
    std::unique_ptr<FileBlob> c = CreateSealed("abcd");
    c->Keep();
    kept = PathOf(*c);
  }
  EXPECT_FALSE(std::filesystem::exists(unsealed));
  EXPECT_FALSE(std::filesystem::exists(sealed));
  EXPECT_TRUE(std::filesystem::exists(kept));
  EXPECT_TRUE(unlinked_.empty()) << "the catalog never had them";
}

TEST_F(FileBlobTest, ADroppedBlobUnlinksItsFileAndSaysSo) {
  std::unique_ptr<FileBlob> blob = CreateSealed("abcd");
  blob->Keep();
  const BlobName name = blob->name();
  blob.reset();
  std::unique_ptr<FileBlob> opened = store_.Open(name, 4, 4096);
  EXPECT_EQ(ReadAll(*opened), "abcd");
  ASSERT_OK_AND_ASSIGN(UniqueFd reader, opened->OpenForReading());
  opened->Drop();
  EXPECT_TRUE(std::filesystem::exists(PathOf(*opened)));
  EXPECT_TRUE(unlinked_.empty());
  const std::string path = PathOf(*opened);
  opened.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(unlinked_, std::vector<BlobName>{name});
  char out[4];
  EXPECT_THAT(ReadAt(reader.get(), 0, absl::MakeSpan(out)), IsOkAndHolds(4u))
      << "who has it open reads on";
}

TEST_F(FileBlobTest, AFootprintIsInWholeBlocks) {
  EXPECT_EQ(store_.FootprintOf(0), 0u);
  EXPECT_EQ(store_.FootprintOf(1), store_.FootprintOf(4096));
  std::unique_ptr<FileBlob> blob = CreateSealed("x");
  EXPECT_EQ(blob->footprint(), store_.FootprintOf(1));
  std::unique_ptr<FileBlob> large = CreateSealed(PatternOf(100'000));
  EXPECT_EQ(large->footprint(), store_.FootprintOf(100'000));
}

TEST_F(FileBlobTest, BlobsOutliveTheStore) {
  auto store = std::make_unique<FileBlobStore>(directory_, FileBlobHooks(), 900);
  ASSERT_OK_AND_ASSIGN(auto blob, store->Create(4));
  store.reset();
  ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(ReadAll(*blob), "abcd");
}

// --- Faults.

// Runs `body` in a process whose files may have `limit` bytes; what it returns is the exit status.
int InChildWithFileSize(rlim_t limit, const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit size = {limit, limit};
    _exit(setrlimit(RLIMIT_FSIZE, &size) == 0 ? body() : 100);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

TEST_F(FileBlobTest, WhereAFileCannotGrowCreateIsCapacityAndLeavesNothing) {
  EXPECT_EQ(InChildWithFileSize(1 << 20,
                                [&] {
                                  auto blob = store_.Create(2 << 20);
                                  if (blob.ok()) return 1;
                                  return KindOf(blob.status()) == ErrorKind::kCapacity ? 0 : 2;
                                }),
            0);
  EXPECT_TRUE(std::filesystem::is_empty(temporary_ / "data/attachments"));
}

TEST_F(FileBlobTest, AWriteThatCannotGoOnIsAFailureAndTheBlobIsAsItWas) {
  EXPECT_EQ(InChildWithFileSize(1 << 20,
                                [&] {
                                  auto blob = store_.Create(absl::nullopt);
                                  if (!blob.ok()) return 1;
                                  if (!(*blob)->Write(0, PatternOf(1 << 20)).ok()) return 2;
                                  if ((*blob)->Write(1 << 20, "more").ok()) return 3;
                                  if (!(*blob)->Seal(absl::nullopt).ok()) return 4;
                                  return (*blob)->size() == 1 << 20 ? 0 : 5;
                                }),
            0);
}

TEST_F(FileBlobTest, WithoutItsShardABlobIsNotSealedAndMayBeLater) {
  std::unique_ptr<FileBlob> blob = Create(4);
  const std::string shard = directory_->PathOf(BlobName::ShardDirectory(blob->name().shard));
  std::filesystem::remove(shard);
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kIo));
  EXPECT_THAT(blob->Write(0, "abcd"), IsOk()) << "as before";
  std::filesystem::create_directory(shard);
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
}

}  // namespace
}  // namespace packice
