#include "packice/core/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/fd_blob.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

UniqueFd FileWith(absl::string_view bytes) {
  UniqueFd fd(memfd_create("mapping_test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_THAT(WriteAt(fd.get(), 0, bytes), IsOk());
  return fd;
}

TEST(MappingTest, IsEmptyByDefault) {
  Mapping mapping;
  EXPECT_TRUE(mapping.bytes().empty());
  EXPECT_EQ(mapping.view(), "");
}

TEST(MappingTest, ShowsTheBytesAtAnyOffset) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::string bytes(3 * page, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  const UniqueFd fd = FileWith(bytes);
  for (uint64_t offset : {uint64_t{0}, uint64_t{1}, page - 1, page, page + 1}) {
    for (uint64_t size : {uint64_t{1}, page - 1, page, page + 1}) {
      SCOPED_TRACE(absl::StrCat(size, " bytes at ", offset));
      ASSERT_OK_AND_ASSIGN(Mapping mapping,
                           Mapping::Map(fd.get(), offset, size, MapAccess::kReadOnly));
      EXPECT_TRUE(mapping.view() == absl::string_view(bytes).substr(offset, size));
    }
  }
}

TEST(MappingTest, OfNothingIsEmpty) {
  const UniqueFd fd = FileWith("");
  ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::Map(fd.get(), 0, 0, MapAccess::kReadWrite));
  EXPECT_TRUE(mapping.bytes().empty());
}

TEST(MappingTest, IsShared) {
  const UniqueFd fd = FileWith("abc");
  ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::Map(fd.get(), 0, 3, MapAccess::kReadWrite));
  ASSERT_THAT(WriteAt(fd.get(), 0, "X"), IsOk());
  EXPECT_EQ(mapping.view(), "Xbc");
  mapping.bytes()[2] = 'Z';
  char out[3];
  ASSERT_THAT(ReadAt(fd.get(), 0, absl::MakeSpan(out)), IsOkAndHolds(3u));
  EXPECT_EQ(std::string(out, 3), "XbZ");
}

TEST(MappingTest, OutlivesItsDescriptor) {
  UniqueFd fd = FileWith("abc");
  ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::Map(fd.get(), 0, 3, MapAccess::kReadOnly));
  fd.Reset();
  EXPECT_EQ(mapping.view(), "abc");
}

TEST(MappingTest, ADescriptorThatRefusesIsPermissionDenied) {
  const UniqueFd fd = FileWith("abc");
  const UniqueFd read_only(open(absl::StrCat("/proc/self/fd/", fd.get()).c_str(), O_RDONLY));
  ASSERT_TRUE(read_only);
  EXPECT_THAT(Mapping::Map(read_only.get(), 0, 3, MapAccess::kReadWrite),
              HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Mapping::Map(read_only.get(), 0, 3, MapAccess::kReadOnly), IsOk());
  ASSERT_EQ(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_THAT(Mapping::Map(fd.get(), 0, 3, MapAccess::kReadWrite),
              HasKind(ErrorKind::kPermissionDenied));
}

TEST(MappingTest, MoreThanTheAddressSpaceIsCapacity) {
  const UniqueFd fd = FileWith("abc");
  EXPECT_THAT(Mapping::Map(fd.get(), 0, uint64_t{1} << 60, MapAccess::kReadOnly),
              HasKind(ErrorKind::kCapacity));
}

TEST(MappingTest, AClosedDescriptorIsIo) {
  EXPECT_THAT(Mapping::Map(-1, 0, 3, MapAccess::kReadOnly), HasKind(ErrorKind::kIo));
}

TEST(MappingTest, Moves) {
  const UniqueFd fd = FileWith("abc");
  ASSERT_OK_AND_ASSIGN(Mapping first, Mapping::Map(fd.get(), 0, 3, MapAccess::kReadOnly));
  Mapping second(std::move(first));
  EXPECT_EQ(second.view(), "abc");
  EXPECT_TRUE(first.bytes().empty());  // NOLINT(bugprone-use-after-move)
  Mapping third;
  third = std::move(second);
  EXPECT_EQ(third.view(), "abc");
}

TEST(MappingTest, AnAssignmentUnmapsAtOnce) {
  const UniqueFd written = FileWith("abc");
  const UniqueFd other = FileWith("def");
  ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::Map(written.get(), 0, 3, MapAccess::kReadWrite));
  ASSERT_OK_AND_ASSIGN(Mapping next, Mapping::Map(other.get(), 0, 3, MapAccess::kReadWrite));
  EXPECT_EQ(fcntl(written.get(), F_ADD_SEALS, F_SEAL_WRITE), -1) << "a writable mapping is open";
  mapping = std::move(next);
  EXPECT_EQ(fcntl(written.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_EQ(mapping.view(), "def");
}

TEST(MappingTest, BorrowedBytesAreSomebodyElses) {
  std::string bytes = "abc";
  {
    Mapping mapping = Mapping::Borrow(absl::MakeSpan(&bytes[0], bytes.size()));
    mapping.bytes()[0] = 'X';
    EXPECT_EQ(mapping.view(), "Xbc");
  }
  EXPECT_EQ(bytes, "Xbc");
}

}  // namespace
}  // namespace packice
