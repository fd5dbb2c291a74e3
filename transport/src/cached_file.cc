#include "cached_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace packice {
namespace {

constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

UniqueFd OpenCached(const char* path) {
  open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_CACHED;
  return UniqueFd(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how))));
}

UniqueFd OpenForReading(const char* path) { return UniqueFd(open(path, kFlags)); }

absl::optional<size_t> ReadCached(int fd, uint64_t offset, absl::Span<char> out) {
  iovec part = {out.data(), out.size()};
  const ssize_t n = preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (n <= 0) return absl::nullopt;
  return static_cast<size_t>(n);
}

bool IsCached(int fd, uint64_t offset, uint64_t size) {
  char byte;
  return ReadCached(fd, offset, absl::MakeSpan(&byte, 1)) &&
         ReadCached(fd, offset + size - 1, absl::MakeSpan(&byte, 1));
}

}  // namespace packice
