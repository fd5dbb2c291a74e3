#include "packice/backends/temp_file_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "file_size.h"
#include "packice/core/error.h"
#include "temp_file.h"

namespace packice {

std::string TempFileBlob::DefaultDirectory() {
  const char* chosen = std::getenv("TMPDIR");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

absl::StatusOr<std::unique_ptr<TempFileBlob>> TempFileBlob::Create(absl::optional<uint64_t> size,
                                                                   const std::string& directory) {
  absl::StatusOr<UniqueFd> fd = temp_file::Open(directory);
  if (!fd.ok()) return fd.status();
  if (size.has_value()) {
    if (absl::Status status = SetFileSize(fd->get(), *size); !status.ok()) return status;
  }
  return std::unique_ptr<TempFileBlob>(new TempFileBlob(*std::move(fd), size));
}

TempFileBlob::TempFileBlob(UniqueFd fd, absl::optional<uint64_t> declared)
    : declared_(declared),
      view_(std::make_shared<FdBlob>(
          FdDescriptor{std::make_shared<const UniqueFd>(std::move(fd)), 0, declared.value_or(0)},
          /*writable=*/true, /*declared=*/declared.has_value())) {}

absl::Status TempFileBlob::Seal(absl::optional<uint64_t> size) {
  const std::shared_ptr<FdBlob> writer = View();
  if (writer->sealed()) {
    return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
  }
  if (declared_.has_value() && size.has_value() && *size != *declared_) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a final size of ", *size,
                                  " bytes contradicts the declared size of ", *declared_));
  }
  const FdDescriptor from = absl::get<FdDescriptor>(writer->Describe());
  const int fd = from.fd->get();
  const uint64_t wanted = declared_.has_value() ? *declared_ : size.value_or(writer->size());
  absl::StatusOr<UniqueFd> reader = temp_file::ReopenReadOnly(fd);
  if (!reader.ok()) return reader.status();
  if (absl::Status status = SetFileSize(fd, wanted); !status.ok()) return status;
  if (fchmod(fd, 0400) != 0) return ErrnoError(errno, "cannot make a temporary file read-only");

  auto sealed = std::make_shared<FdBlob>(
      FdDescriptor{std::make_shared<const UniqueFd>(*std::move(reader)), 0, wanted},
      /*writable=*/false, /*declared=*/true);
  MutexLock lock(mutex_);
  view_ = std::move(sealed);
  return absl::OkStatus();
}

}  // namespace packice
