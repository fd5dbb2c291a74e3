#include "file_size.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Below this nobody asks: what is there only matters for sizes that it cannot hold.
constexpr uint64_t kModest = uint64_t{256} << 20;

// All the room where `fd` lives, used or not.
uint64_t Room(int fd) {
  constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
  struct statvfs fs;
  if (fstatvfs(fd, &fs) != 0) return kUnknown;
  if (fs.f_blocks != 0) return static_cast<uint64_t>(fs.f_blocks) * fs.f_frsize;
  // The kernel's own tmpfs, where memfds live, has no limit but memory.
  struct sysinfo memory;
  if (sysinfo(&memory) != 0) return kUnknown;
  return (static_cast<uint64_t>(memory.totalram) + memory.totalswap) * memory.mem_unit;
}

}  // namespace

absl::StatusOr<uint64_t> FileSize(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, "cannot ask for a file's size");
  return static_cast<uint64_t>(info.st_size);
}

absl::Status CheckFileSize(int fd, uint64_t size) {
  if (size <= kModest) return absl::OkStatus();
  if (size > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a size of ", size, " bytes is more than a file can have"));
  }
  if (const uint64_t room = Room(fd); size > room) {
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("a size of ", size, " bytes, where there are ", room, " in all"));
  }
  return absl::OkStatus();
}

absl::Status SetFileSize(int fd, uint64_t size) {
  if (absl::Status status = CheckFileSize(fd, size); !status.ok()) return status;
  while (ftruncate(fd, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    // The file system's own limit for one file, or the process's (RLIMIT_FSIZE).
    const int error = errno == EFBIG ? ENOSPC : errno;
    return ErrnoError(error, absl::StrCat("cannot set a file's size to ", size, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace packice
