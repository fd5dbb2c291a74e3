#include "write_guard.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

#include "packice/core/error.h"

namespace packice {

absl::StatusOr<WriteGuard> WriteGuard::Take(int fd) {
  // The kernel tells the holder of a lease that a writer has come by a signal: SIGIO, which would
  // end the process, unless another is named. SIGURG is ignored where nobody asks for it.
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return WriteGuard(-1);
  if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return WriteGuard(fd);
  if (errno != EAGAIN) return WriteGuard(-1);
  return MakeError(ErrorKind::kBusy,
                   "a process still has the file open for writing, or mapped so; close it and seal "
                   "again");
}

WriteGuard::~WriteGuard() {
  if (fd_ >= 0) fcntl(fd_, F_SETLEASE, F_UNLCK);
}

bool WriteGuard::Undisturbed() const { return fd_ < 0 || fcntl(fd_, F_GETLEASE) == F_RDLCK; }

}  // namespace packice
