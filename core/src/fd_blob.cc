#include "packice/core/fd_blob.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

absl::StatusOr<size_t> ReadAt(int fd, uint64_t offset, absl::Span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      return MakeError(ErrorKind::kIo, absl::StrCat("cannot read: ", std::strerror(errno)));
    }
    done += static_cast<size_t>(n);
  }
  return done;
}

absl::Status WriteAt(int fd, uint64_t offset, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, absl::StrCat("cannot write ", bytes.size(), " bytes"));
    }
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

uint64_t FdBlob::size() const {
  if (declared_ || sealed()) return descriptor_.size;
  struct stat info;
  return fstat(descriptor_.fd->get(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

absl::StatusOr<size_t> FdBlob::Read(uint64_t offset, absl::Span<char> out) const {
  const uint64_t end = size();
  if (offset >= end) return size_t{0};
  out = out.subspan(0, static_cast<size_t>(std::min<uint64_t>(out.size(), end - offset)));
  return ReadAt(descriptor_.fd->get(), descriptor_.offset + offset, out);
}

absl::Status FdBlob::Write(uint64_t offset, absl::string_view bytes) {
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  if (declared_ && (offset > descriptor_.size || bytes.size() > descriptor_.size - offset)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a write of ", bytes.size(), " bytes at ", offset,
                                  " passes the declared size of ", descriptor_.size));
  }
  return WriteAt(descriptor_.fd->get(), descriptor_.offset + offset, bytes);
}

absl::Status FdBlob::Seal(absl::optional<uint64_t> final_size) {
  if (!declared_) descriptor_.size = final_size.value_or(size());
  sealed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<Mapping> FdBlob::Map(MapAccess access) const {
  if (access == MapAccess::kReadWrite && sealed()) {
    return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  }
  return Mapping::Map(descriptor_.fd->get(), descriptor_.offset, size(), access);
}

}  // namespace packice
