#include "packice/backends/memfd_blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/blob_store_conformance.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

class MemfdBlobs final : public BlobStore {
 public:
  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    return MemfdBlob::Create(size);
  }
};

const auto kMemfd = testing::Values(BlobStoreParam::Of<MemfdBlobs>("Memfd", true));
INSTANTIATE_TEST_SUITE_P(Memfd, BlobStoreConformance, kMemfd, BlobStoreParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Memfd, BlobStoreKernelSeals, kMemfd, BlobStoreParam::NameOf);

constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

int FdOf(const Blob& blob) { return absl::get<FdDescriptor>(blob.Describe()).fd->get(); }

TEST(MemfdBlobTest, IsClosedOnExecAndCannotBeExecuted) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(1));
  EXPECT_EQ(fcntl(FdOf(*blob), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  struct stat info;
  ASSERT_EQ(fstat(FdOf(*blob), &info), 0);
  // MFD_NOEXEC_SEAL, where the kernel has it, also clears the mode bits.
  const int probe = memfd_create("probe", 0x0008U);
  if (probe < 0) GTEST_SKIP() << "this kernel has no MFD_NOEXEC_SEAL";
  close(probe);
  EXPECT_EQ(info.st_mode & 0111, 0u);
}

TEST(MemfdBlobTest, NobodyMayAddOrLackASealAfterwards) {
  for (absl::optional<uint64_t> declared :
       {absl::optional<uint64_t>(4), absl::optional<uint64_t>()}) {
    ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(declared));
    ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
    ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
    EXPECT_EQ(fcntl(FdOf(*blob), F_GET_SEALS) & kAllSeals, kAllSeals);
  }
}

TEST(MemfdBlobTest, SizesThatNoFileCanHaveAreInvalid) {
  const uint64_t max = std::numeric_limits<uint64_t>::max();
  EXPECT_THAT(MemfdBlob::Create(max), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(MemfdBlob::Create(max / 2 + 1), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(MemfdBlob::Create(max / 2), HasKind(ErrorKind::kCapacity));
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(absl::nullopt));
  ASSERT_THAT(blob->Write(0, "ab"), IsOk());
  EXPECT_THAT(blob->Seal(max), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob->Write(2, "cd"), IsOk()) << "nothing was sealed";
  EXPECT_THAT(blob->Seal(4), IsOk());
}

TEST(MemfdBlobTest, ASecondSealIsRefused) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(4));
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kPermissionDenied));
}

TEST(MemfdBlobTest, AClientThatForbidsFurtherSealsIsTold) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(4));
  ASSERT_EQ(fcntl(FdOf(*blob), F_ADD_SEALS, F_SEAL_SEAL), 0);
  EXPECT_THAT(blob->Seal(absl::nullopt), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_FALSE(blob->sealed());
}

TEST(MemfdBlobTest, AClientThatSealedItAllDidOurWork) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(4));
  ASSERT_EQ(fcntl(FdOf(*blob), F_ADD_SEALS, kAllSeals), 0);
  EXPECT_THAT(blob->Seal(absl::nullopt), IsOk());
}

TEST(MemfdBlobTest, AClientThatFixedAnotherSizeIsTold) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(absl::nullopt));
  ASSERT_THAT(blob->Write(0, "abcd"), IsOk());
  ASSERT_EQ(fcntl(FdOf(*blob), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_THAT(blob->Seal(2), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_FALSE(blob->sealed());
}

TEST(MemfdBlobTest, TheWriterMayKeepItsDescriptorButNotUseIt) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(4));
  const int writer = dup(FdOf(*blob));
  ASSERT_EQ(pwrite(writer, "abcd", 4, 0), 4);
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  EXPECT_EQ(pwrite(writer, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(mmap(nullptr, 4, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0), MAP_FAILED);
  close(writer);
  char out[4];
  EXPECT_THAT(blob->Read(0, absl::MakeSpan(out)), IsOkAndHolds(4u));
  EXPECT_EQ(std::string(out, 4), "abcd");
}

TEST(MemfdBlobTest, EvenAReopenedDescriptorCannotWrite) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(4));
  ASSERT_THAT(blob->Seal(absl::nullopt), IsOk());
  const int again = open(("/proc/self/fd/" + std::to_string(FdOf(*blob))).c_str(), O_RDWR);
  ASSERT_GE(again, 0);
  EXPECT_EQ(pwrite(again, "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(again, 5), -1);
  close(again);
}

TEST(MemfdBlobTest, CuttingAnUndeclaredBlobShortZeroesWhatWasBehind) {
  ASSERT_OK_AND_ASSIGN(auto blob, MemfdBlob::Create(absl::nullopt));
  ASSERT_THAT(blob->Write(0, std::string(10'000, 'x')), IsOk());
  ASSERT_THAT(blob->Seal(5'000), IsOk());
  ASSERT_OK_AND_ASSIGN(Mapping mapping, blob->Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), std::string(5'000, 'x'));
  // The rest of the last page.
  EXPECT_EQ(std::string(mapping.view().data() + 5'000, 3'000), std::string(3'000, '\0'));
}

}  // namespace
}  // namespace packice
