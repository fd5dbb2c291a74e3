#include "temp_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice::temp_file {

absl::StatusOr<UniqueFd> Open(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL) {
    // A file system without O_TMPFILE: for a moment the file has a name.
    std::string path = absl::StrCat(directory, "/packice-XXXXXX");
    fd = UniqueFd(mkostemp(path.data(), O_CLOEXEC));
    if (fd && unlink(path.c_str()) == 0) return fd;
  }
  return ErrnoError(errno, absl::StrCat("cannot make a temporary file in ", directory));
}

absl::StatusOr<UniqueFd> ReopenReadOnly(int fd) {
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  UniqueFd reader(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (reader) return reader;
  return ErrnoError(errno, absl::StrCat("cannot open a temporary file for reading as ", path));
}

}  // namespace packice::temp_file
