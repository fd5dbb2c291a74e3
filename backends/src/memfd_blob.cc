#include "packice/backends/memfd_blob.h"

#include <fcntl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "file_size.h"
#include "memfd.h"
#include "packice/core/error.h"

namespace packice {

absl::StatusOr<std::unique_ptr<MemfdBlob>> MemfdBlob::Create(absl::optional<uint64_t> size) {
  absl::StatusOr<UniqueFd> fd = memfd::Create("packice");
  if (!fd.ok()) return fd.status();
  if (size.has_value()) {
    if (absl::Status status = SetFileSize(fd->get(), *size); !status.ok()) return status;
    if (absl::Status status = memfd::AddSeals(fd->get(), memfd::kFixedSize); !status.ok()) {
      return status;
    }
  }
  return std::unique_ptr<MemfdBlob>(new MemfdBlob(*std::move(fd), size));
}

MemfdBlob::MemfdBlob(UniqueFd fd, absl::optional<uint64_t> declared)
    : fd_(std::make_shared<const UniqueFd>(std::move(fd))),
      declared_(declared),
      view_(FdDescriptor{fd_, 0, declared.value_or(0)}, /*writable=*/true,
            /*declared=*/declared.has_value()) {}

absl::Status MemfdBlob::Seal(absl::optional<uint64_t> size) {
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
  if (declared_.has_value() && size.has_value() && *size != *declared_) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a final size of ", *size,
                                  " bytes contradicts the declared size of ", *declared_));
  }
  const int fd = fd_->get();
  if (!declared_.has_value() && size.has_value() && *size != view_.size()) {
    if (absl::Status status = CheckFileSize(fd, *size); !status.ok()) return status;
    // Bytes first, size second: while somebody maps the memory writable this stops here, and
    // nothing has been cut off yet.
    if (absl::Status status = memfd::AddSeals(fd, F_SEAL_WRITE); !status.ok()) return status;
    if (absl::Status status = SetFileSize(fd, *size); !status.ok()) return status;
  }
  if (absl::Status status = memfd::AddSeals(fd, memfd::kFrozen); !status.ok()) return status;

  absl::StatusOr<uint64_t> frozen = FileSize(fd);
  if (!frozen.ok()) return frozen.status();
  const uint64_t wanted = declared_.has_value() ? *declared_ : size.value_or(*frozen);
  if (*frozen != wanted) {
    return MakeError(ErrorKind::kBusy, absl::StrCat("a client made the blob ", *frozen,
                                                    " bytes long while it was "
                                                    "being sealed at ",
                                                    wanted, "; discard it and create it anew"));
  }
  return view_.Seal(wanted);
}

}  // namespace packice
