#include "directory_listing.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"

namespace packice {

absl::Status ListDirectory(int at, const std::string& relative,
                           absl::FunctionRef<absl::Status(const DirectoryEntry&)> visit) {
  UniqueFd fd(openat(at, relative.empty() ? "." : relative.c_str(),
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoError(errno, absl::StrCat("cannot list the directory ", relative));
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd.get()), &closedir);
  if (directory == nullptr) {
    return ErrnoError(errno, absl::StrCat("cannot list the directory ", relative));
  }
  const int number = fd.Release();  // closedir(3) has it now
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (absl::Status status = visit(DirectoryEntry{name, number}); !status.ok()) return status;
  }
  if (errno != 0) return ErrnoError(errno, absl::StrCat("cannot list the directory ", relative));
  return absl::OkStatus();
}

}  // namespace packice
