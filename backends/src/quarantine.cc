#include "packice/backends/quarantine.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

// quarantine/<name>, or with a number behind it where that is taken. Atomic: nothing that lies
// there is replaced.
absl::StatusOr<std::string> MoveThere(int directory, const std::string& relative) {
  const std::string flat = absl::StrReplaceAll(relative, {{"/", "_"}});
  for (int i = 0; i < 100'000; ++i) {
    const std::string place = absl::StrCat("quarantine/", flat, i == 0 ? "" : absl::StrCat(".", i));
    if (renameat2(directory, relative.c_str(), directory, place.c_str(), RENAME_NOREPLACE) == 0) {
      return place;
    }
    if (errno == EEXIST) continue;
    if (errno == ENOENT) {
      return MakeError(ErrorKind::kNotFound,
                       absl::StrCat("cannot set ", relative, " aside: it is not there"));
    }
    return ErrnoError(errno, absl::StrCat("cannot set ", relative, " aside as ", place));
  }
  return MakeError(ErrorKind::kCapacity,
                   absl::StrCat("cannot set ", relative, " aside: empty quarantine/ first"));
}

absl::Status WriteWhy(int directory, const std::string& path, absl::string_view text) {
  const UniqueFd fd(
      openat(directory, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot write ", path));
  if (absl::Status status = WriteAt(fd.get(), 0, text); !status.ok()) return status;
  if (fsync(fd.get()) != 0) return ErrnoError(errno, absl::StrCat("cannot sync ", path));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SetAside(const DataDirectory& directory, const std::string& relative,
                                     absl::string_view why, absl::Time now) {
  if (mkdirat(directory.fd(), "quarantine", 0700) == 0) {  // a directory that nobody completed
    if (absl::Status status = directory.SyncDirectory(""); !status.ok()) return status;
  }
  absl::StatusOr<std::string> place = MoveThere(directory.fd(), relative);
  if (!place.ok()) return place;
  const std::string text =
      absl::StrCat("what: ", relative, "\nwhen: ", absl::FormatTime(now, absl::UTCTimeZone()),
                   "\nwhy: ", why, "\n");
  absl::Status status = WriteWhy(directory.fd(), absl::StrCat(*place, ".why"), text);
  if (!status.ok()) return status;
  if (status = directory.SyncDirectory("quarantine"); !status.ok()) return status;
  const size_t slash = relative.find_last_of('/');
  status = directory.SyncDirectory(slash == std::string::npos ? "" : relative.substr(0, slash));
  if (!status.ok()) return status;
  return place;
}

}  // namespace packice
