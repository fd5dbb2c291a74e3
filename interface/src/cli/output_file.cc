#include "cli/output_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

// The bits that a new file gets. Reading the mask means setting it, so once, before there are
// threads about it.
mode_t NewFileMode() {
  static const mode_t mode = [] {
    const mode_t mask = umask(0);
    umask(mask);
    return static_cast<mode_t>(0666 & ~mask);
  }();
  return mode;
}

}  // namespace

absl::StatusOr<OutputFile> OutputFile::Create(const std::string& path) {
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(path, " is a directory"));
  }
  if (exists && !S_ISREG(info.st_mode)) {
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return ErrnoError(errno, absl::StrCat("cannot open ", path));
    return OutputFile(std::move(fd), path, "");
  }
  // A link stays one; what it points at is replaced.
  std::error_code error;
  const std::filesystem::path real =
      exists ? std::filesystem::canonical(path, error) : std::filesystem::path(path);
  const std::filesystem::path place = error ? std::filesystem::path(path) : real;
  std::string temporary = (place.parent_path() / ".packice-XXXXXX").string();
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot make a file beside ", path));
  OutputFile file(std::move(fd), place.string(), std::move(temporary));
  const mode_t mode = exists ? info.st_mode & 07777 : NewFileMode();
  if (fchmod(file.fd(), mode) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot set the mode of ", path));
  }
  return file;
}

OutputFile::~OutputFile() {
  if (fd_ && !temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status OutputFile::Commit() {
  if (!temporary_.empty() && rename(temporary_.c_str(), path_.c_str()) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot put ", path_, " in its place"));
  }
  temporary_.clear();
  // Some file systems tell of a failed write only now.
  if (close(fd_.Release()) != 0) return ErrnoError(errno, absl::StrCat("cannot write ", path_));
  return absl::OkStatus();
}

}  // namespace packice::cli
