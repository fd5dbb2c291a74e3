#include "packice/core/path_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

class PathBlobTest : public testing::Test {
 protected:
  PathBlobTest() {
    std::string name = (std::filesystem::temp_directory_path() / "packice-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~PathBlobTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(absl::string_view name) const { return directory_ + "/" + std::string(name); }

  std::string FileWith(absl::string_view bytes, absl::string_view name = "file") const {
    std::ofstream(Path(name)) << bytes;
    return Path(name);
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string ReadAll(const Blob& blob) {
    std::string bytes(blob.size(), '\0');
    EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
    return bytes;
  }

  // What the node's Seal asks: a read lease is refused while somebody has the file open to write
  // (fcntl(2), F_SETLEASE).
  static bool SomebodyMayWrite(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0) return true;
    fcntl(fd.get(), F_SETLEASE, F_UNLCK);
    return false;
  }

  std::string directory_;
};

TEST_F(PathBlobTest, ReadsTheBytesOfAFile) {
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenSealed({FileWith("before|bytes"), 7, 5}));
  EXPECT_TRUE(blob->sealed());
  EXPECT_EQ(blob->size(), 5u);
  EXPECT_EQ(ReadAll(*blob), "bytes");
  char out[8];
  EXPECT_THAT(blob->Read(3, absl::MakeSpan(out)), IsOkAndHolds(2u));
  EXPECT_THAT(blob->Read(kMax, absl::MakeSpan(out)), IsOkAndHolds(0u));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), "bytes");
}

TEST_F(PathBlobTest, AReaderCannotWrite) {
  const std::string path = FileWith("bytes");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenSealed({path, 0, 5}));
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(Content(path), "bytes");
}

TEST_F(PathBlobTest, AReaderKeepsTheBytesWhenTheNameGoes) {
  const std::string path = FileWith("bytes");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenSealed({path, 0, 5}));
  std::filesystem::remove(path);
  EXPECT_EQ(ReadAll(*blob), "bytes");
}

TEST_F(PathBlobTest, AFileOfAnotherSizeIsCorrupt) {
  const std::string path = FileWith("bytes");
  EXPECT_THAT(PathBlob::OpenSealed({path, 0, 6}), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(PathBlob::OpenSealed({path, 0, 4}), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(PathBlob::OpenSealed({path, 6, 0}), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(PathBlob::OpenSealed({path, 1, kMax}), HasKind(ErrorKind::kCorrupt));
}

TEST_F(PathBlobTest, NoFileIsUnavailable) {
  EXPECT_THAT(PathBlob::OpenSealed({Path("none"), 0, 0}), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(PathBlob::OpenWritable({FileWith("x") + "/y", 0, 0}, true),
              HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(PathBlob::OpenSealed({"file", 0, 0}), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(PathBlob::OpenSealed({"", 0, 0}), HasKind(ErrorKind::kUnavailable));
}

TEST_F(PathBlobTest, WhatIsNoRegularFileIsRefused) {
  std::filesystem::create_symlink(FileWith("secret"), Path("link"));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  for (const std::string& path : {Path("link"), Path("fifo"), directory_}) {
    SCOPED_TRACE(path);
    EXPECT_THAT(PathBlob::OpenSealed({path, 0, 6}), HasKind(ErrorKind::kPermissionDenied));
    EXPECT_THAT(PathBlob::OpenWritable({path, 0, 6}, true), HasKind(ErrorKind::kPermissionDenied));
  }
}

TEST_F(PathBlobTest, AWriterIsKeptToTheDeclaredSize) {
  const std::string path = FileWith("....");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 4}, /*declared=*/true));
  EXPECT_FALSE(blob->sealed());
  EXPECT_THAT(blob->Write(0, "abcd"), IsOk());
  EXPECT_THAT(blob->Write(0, "12345"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(4, "1"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(kMax, "12"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(4, ""), IsOk());
  EXPECT_EQ(Content(path), "abcd");
  EXPECT_EQ(ReadAll(*blob), "abcd");
}

TEST_F(PathBlobTest, WithoutADeclaredSizeItGrowsWithItsFile) {
  const std::string path = FileWith("");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 0}, /*declared=*/false));
  EXPECT_EQ(blob->size(), 0u);
  EXPECT_THAT(blob->Write(0, "abc"), IsOk());
  EXPECT_EQ(blob->size(), 3u);
  std::ofstream(path, std::ios::app) << "def";
  EXPECT_EQ(ReadAll(*blob), "abcdef") << "also what was written past it";
  EXPECT_EQ(absl::get<PathDescriptor>(blob->Describe()).size, 6u);
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(blob->size(), 6u);
}

TEST_F(PathBlobTest, KeepsNoDescriptorThatCanWrite) {
  const std::string path = FileWith("....");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 4}, /*declared=*/true));
  EXPECT_FALSE(SomebodyMayWrite(path));
  EXPECT_THAT(blob->Write(0, "abcd"), IsOk());
  EXPECT_FALSE(SomebodyMayWrite(path));
  {
    ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadWrite));
    mapping.bytes()[0] = 'A';
    EXPECT_TRUE(SomebodyMayWrite(path)) << "the mapping can";
  }
  EXPECT_FALSE(SomebodyMayWrite(path));
  EXPECT_EQ(Content(path), "Abcd");
}

TEST_F(PathBlobTest, IsReadableButNotWritableAfterTheNodeMovedTheFile) {
  const std::string path = FileWith(".....");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 5}, /*declared=*/true));
  ASSERT_THAT(blob->Write(0, "bytes"), IsOk());
  std::filesystem::rename(path, Path("sealed"));
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(ReadAll(*blob), "bytes");
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(ReadAll(*blob), "bytes");
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), "bytes");
}

TEST_F(PathBlobTest, AFileThatTheNodeMadeReadOnlyIsNotWrittenEvenByRoot) {
  const std::string path = FileWith(".....");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 5}, /*declared=*/true));
  ASSERT_EQ(chmod(path.c_str(), 0400), 0);
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(Content(path), ".....");
}

TEST_F(PathBlobTest, AFileThatTheNodeRemovedIsOfALeaseThatIsOver) {
  const std::string path = FileWith("bytes");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 5}, /*declared=*/true));
  std::filesystem::remove(path);
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_EQ(ReadAll(*blob), "bytes");
}

TEST_F(PathBlobTest, AnotherFileOfTheSameNameIsNotWritten) {
  const std::string path = FileWith("mine");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 4}, /*declared=*/true));
  std::filesystem::rename(path, Path("elsewhere"));
  FileWith("else");
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  std::filesystem::remove(path);
  std::filesystem::create_symlink(Path("elsewhere"), path);
  EXPECT_THAT(blob->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(Content(Path("elsewhere")), "mine");
}

TEST_F(PathBlobTest, AFileShorterThanDeclaredIsNotMapped) {
  const std::string path = FileWith("...");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenWritable({path, 0, 4}, /*declared=*/true));
  EXPECT_THAT(blob->Map(MapAccess::kReadWrite), HasKind(ErrorKind::kCorrupt));
}

TEST_F(PathBlobTest, DescribesItself) {
  const std::string path = FileWith("|bytes");
  ASSERT_OK_AND_ASSIGN(auto blob, PathBlob::OpenSealed({path, 1, 5}));
  const BlobDescriptor descriptor = blob->Describe();
  const auto* described = absl::get_if<PathDescriptor>(&descriptor);
  ASSERT_NE(described, nullptr);
  EXPECT_EQ(described->path, path);
  EXPECT_EQ(described->offset, 1u);
  EXPECT_EQ(described->size, 5u);
}

}  // namespace
}  // namespace packice
