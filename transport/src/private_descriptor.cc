#include "private_descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

FdDescriptor Whole(UniqueFd fd, uint64_t size) {
  return FdDescriptor{std::make_shared<const UniqueFd>(std::move(fd)), 0, size};
}

absl::StatusOr<FdDescriptor> Copy(const FdDescriptor& shared) {
  UniqueFd copy(memfd_create("packice-copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return ErrnoError(errno, "cannot copy a blob for one client");
  std::vector<char> buffer(std::min<uint64_t>(shared.size, 1 << 20));
  for (uint64_t done = 0; done < shared.size;) {
    const size_t n = std::min<uint64_t>(buffer.size(), shared.size - done);
    absl::StatusOr<size_t> read =
        ReadAt(shared.fd->get(), shared.offset + done, absl::MakeSpan(buffer.data(), n));
    if (!read.ok()) return read.status();
    if (*read == 0) return MakeError(ErrorKind::kInternal, "a sealed blob ends early");
    absl::Status status = WriteAt(copy.get(), done, absl::string_view(buffer.data(), *read));
    if (!status.ok()) return status;
    done += *read;
  }
  if (fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
      0) {
    return ErrnoError(errno, "cannot seal a copy");
  }
  return Whole(std::move(copy), shared.size);
}

}  // namespace

absl::StatusOr<FdDescriptor> PrivateDescriptor(const FdDescriptor& shared, bool writable) {
  struct stat info;
  if (fstat(shared.fd->get(), &info) != 0) return ErrnoError(errno, "cannot look at a blob");
  // A segment that holds this blob alone has another one's bytes some day.
  const bool alone = shared.segment == nullptr && shared.offset == 0 &&
                     static_cast<uint64_t>(info.st_size) == shared.size;
  if (!alone && !writable) return Copy(shared);
  UniqueFd fd(open(absl::StrCat("/proc/self/fd/", shared.fd->get()).c_str(),
                   (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "cannot open a blob anew for one client through /proc");
  return Whole(std::move(fd), shared.size);
}

}  // namespace packice
