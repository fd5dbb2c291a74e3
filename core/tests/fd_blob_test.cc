#include "packice/core/fd_blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>
#include <memory>
#include <string>

#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

std::shared_ptr<const UniqueFd> FileWith(absl::string_view bytes) {
  auto fd =
      std::make_shared<UniqueFd>(memfd_create("fd_blob_test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_THAT(WriteAt(fd->get(), 0, bytes), IsOk());
  return fd;
}

std::string ReadAll(const Blob& blob) {
  std::string bytes(blob.size(), '\0');
  EXPECT_THAT(blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
  return bytes;
}

TEST(FdBlobTest, ReadsARunOfItsFile) {
  const FdBlob blob({FileWith("before|the bytes|after"), 7, 9}, /*writable=*/false,
                    /*declared=*/true);
  EXPECT_TRUE(blob.sealed());
  EXPECT_EQ(blob.size(), 9u);
  EXPECT_EQ(ReadAll(blob), "the bytes");
  char out[8];
  EXPECT_THAT(blob.Read(6, absl::MakeSpan(out)), IsOkAndHolds(3u)) << "no byte from behind it";
  EXPECT_THAT(blob.Read(9, absl::MakeSpan(out)), IsOkAndHolds(0u));
  EXPECT_THAT(blob.Read(kMax, absl::MakeSpan(out)), IsOkAndHolds(0u));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob.Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), "the bytes");
}

TEST(FdBlobTest, AReaderCannotWrite) {
  FdBlob blob({FileWith("bytes"), 0, 5}, /*writable=*/false, /*declared=*/true);
  EXPECT_THAT(blob.Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(blob.Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(ReadAll(blob), "bytes");
}

TEST(FdBlobTest, AWriterIsKeptToTheDeclaredSize) {
  const auto fd = FileWith("....|after");
  FdBlob blob({fd, 0, 4}, /*writable=*/true, /*declared=*/true);
  EXPECT_FALSE(blob.sealed());
  EXPECT_THAT(blob.Write(0, "abcd"), IsOk());
  EXPECT_THAT(blob.Write(0, "12345"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob.Write(4, "1"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob.Write(kMax, "12"), HasKind(ErrorKind::kInvalidArgument));
  char out[10];
  EXPECT_THAT(ReadAt(fd->get(), 0, absl::MakeSpan(out)), IsOkAndHolds(10u));
  EXPECT_EQ(std::string(out, 10), "abcd|after");
}

TEST(FdBlobTest, WithoutADeclaredSizeItGrowsWithItsFile) {
  const auto fd = FileWith("");
  FdBlob blob({fd, 0, 0}, /*writable=*/true, /*declared=*/false);
  EXPECT_EQ(blob.size(), 0u);
  EXPECT_THAT(blob.Write(0, "abc"), IsOk());
  EXPECT_EQ(blob.size(), 3u);
  EXPECT_THAT(WriteAt(fd->get(), 3, "def"), IsOk());
  EXPECT_EQ(blob.size(), 6u) << "also when written past it";
  EXPECT_EQ(ReadAll(blob), "abcdef");
  EXPECT_THAT(blob.Seal(absl::nullopt), IsOk());
  EXPECT_EQ(blob.size(), 6u);
}

TEST(FdBlobTest, SealFreezesThisView) {
  FdBlob declared({FileWith("bytes"), 0, 5}, /*writable=*/true, /*declared=*/true);
  EXPECT_THAT(declared.Seal(absl::nullopt), IsOk());
  EXPECT_TRUE(declared.sealed());
  EXPECT_THAT(declared.Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(declared.Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));

  FdBlob undeclared({FileWith("bytes and more"), 0, 0}, /*writable=*/true, /*declared=*/false);
  EXPECT_THAT(undeclared.Seal(5), IsOk());
  EXPECT_EQ(ReadAll(undeclared), "bytes");
}

TEST(FdBlobTest, ADescriptorTheNodeHasSealedIsPermissionDenied) {
  const auto fd = FileWith("bytes");
  FdBlob blob({fd, 0, 5}, /*writable=*/true, /*declared=*/true);
  ASSERT_EQ(fcntl(fd->get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_THAT(blob.Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(blob.Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
}

TEST(FdBlobTest, DescribesItself) {
  const auto fd = FileWith("bytes");
  const FdBlob blob({fd, 1, 4}, /*writable=*/false, /*declared=*/true);
  const BlobDescriptor descriptor = blob.Describe();
  const auto* same = absl::get_if<FdDescriptor>(&descriptor);
  ASSERT_NE(same, nullptr);
  EXPECT_EQ(same->fd, fd);
  EXPECT_EQ(same->offset, 1u);
  EXPECT_EQ(same->size, 4u);
}

TEST(FdBlobTest, KeepsTheDescriptorOpen) {
  auto fd = FileWith("bytes");
  const FdBlob blob({fd, 0, 5}, /*writable=*/false, /*declared=*/true);
  fd.reset();
  EXPECT_EQ(ReadAll(blob), "bytes");
}

TEST(ReadAtTest, AClosedDescriptorIsIo) {
  char out[1];
  EXPECT_THAT(ReadAt(-1, 0, absl::MakeSpan(out)), HasKind(ErrorKind::kIo));
  EXPECT_THAT(WriteAt(-1, 0, "x"), HasKind(ErrorKind::kIo));
}

TEST(WriteAtTest, AFullMediumIsCapacity) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  EXPECT_THAT(WriteAt(full.get(), 0, "x"), HasKind(ErrorKind::kCapacity));
}

}  // namespace
}  // namespace packice
