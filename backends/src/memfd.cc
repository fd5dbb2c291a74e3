#include "memfd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>

#include "packice/core/error.h"

// Linux 6.3; the C library may be older than the kernel.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace packice::memfd {

const int kFixedSize = F_SEAL_GROW | F_SEAL_SHRINK;
const int kFrozen = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

absl::StatusOr<UniqueFd> Create(const char* name) {
  // Whether this kernel knows MFD_NOEXEC_SEAL. Found out once; a race finds it out twice.
  static std::atomic<unsigned> noexec{MFD_NOEXEC_SEAL};
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const unsigned extra = noexec.load(std::memory_order_relaxed);
  UniqueFd fd(memfd_create(name, flags | extra));
  if (!fd && errno == EINVAL && extra != 0) {
    noexec.store(0, std::memory_order_relaxed);
    fd = UniqueFd(memfd_create(name, flags));
  }
  if (fd) return fd;
  // A seccomp filter answers EPERM, or whatever its author chose; those two are the usual ones.
  if (errno == ENOSYS || errno == EPERM) {
    return MakeError(ErrorKind::kUnsupported, "this kernel or its sandbox refuses memfd_create");
  }
  return ErrnoError(errno, "cannot create a memfd");
}

absl::Status AddSeals(int fd, int seals) {
  if (fcntl(fd, F_ADD_SEALS, seals) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EBUSY) {
    return MakeError(ErrorKind::kBusy,
                     "the memory is still mapped writable; unmap it, then seal again");
  }
  if (error == EPERM) {
    // Who froze it before us did no harm.
    absl::StatusOr<int> there = Seals(fd);
    if (there.ok() && (seals & ~*there) == 0) return absl::OkStatus();
    return MakeError(ErrorKind::kPermissionDenied,
                     "a client has sealed the memory against further seals, so that it cannot be "
                     "frozen; discard it and create it anew");
  }
  return ErrnoError(error, "cannot seal a memfd");
}

absl::StatusOr<int> Seals(int fd) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return ErrnoError(errno, "cannot ask for the seals of a memfd");
  return seals;
}

}  // namespace packice::memfd
