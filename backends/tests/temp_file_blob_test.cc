#include "packice/backends/temp_file_blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/blob_store_conformance.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

class TempFileBlobs final : public BlobStore {
 public:
  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    return TempFileBlob::Create(size, TempFileBlob::DefaultDirectory());
  }
};

INSTANTIATE_TEST_SUITE_P(TempFile, BlobStoreConformance,
                         testing::Values(BlobStoreParam::Of<TempFileBlobs>("TempFile")),
                         BlobStoreParam::NameOf);

int FdOf(const Blob& blob) { return absl::get<FdDescriptor>(blob.Describe()).fd->get(); }

absl::StatusOr<std::unique_ptr<TempFileBlob>> Create(absl::optional<uint64_t> size) {
  return TempFileBlob::Create(size, TempFileBlob::DefaultDirectory());
}

TEST(TempFileBlobTest, ReadersGetAReadOnlyDescriptor) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(4));
  ASSERT_EQ(fcntl(FdOf(*blob), F_GETFL) & O_ACCMODE, O_RDWR);
  ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  const int fd = FdOf(*blob);
  EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(pwrite(fd, "x", 1, 0), -1);
  EXPECT_EQ(mmap(nullptr, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
}

TEST(TempFileBlobTest, WhatAWriterPutPastTheDeclaredSizeIsCutOff) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(4));
  ASSERT_EQ(pwrite(FdOf(*blob), "abcdefgh", 8, 0), 8);
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(blob->size(), 4u);
  EXPECT_EQ(lseek(FdOf(*blob), 0, SEEK_END), 4);
}

TEST(TempFileBlobTest, SizesThatNoFileCanHaveAreInvalid) {
  EXPECT_THAT(Create(std::numeric_limits<uint64_t>::max()), HasKind(ErrorKind::kInvalidArgument));
}

TEST(TempFileBlobTest, ASecondSealIsRefused) {
  ASSERT_OK_AND_ASSIGN(auto blob, Create(4));
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kPermissionDenied));
}

TEST(TempFileBlobTest, LeavesNoNameBehind) {
  char pattern[] = "/tmp/packice-temp-file-blob-test-XXXXXX";
  const std::string directory = mkdtemp(pattern);
  ASSERT_OK_AND_ASSIGN(auto blob, TempFileBlob::Create(4, directory));
  EXPECT_EQ(rmdir(directory.c_str()), 0) << "the directory is not empty";
  EXPECT_THAT(blob->Write(0, "abcd"), IsOk());
}

TEST(TempFileBlobTest, ADirectoryThatIsNotThereIsAnError) {
  EXPECT_THAT(TempFileBlob::Create(4, "/nonexistent/packice"), HasKind(ErrorKind::kIo));
}

}  // namespace
}  // namespace packice
