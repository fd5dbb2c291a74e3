// Whether anybody has a file open for writing, or maps it so: the kernel's read lease (fcntl(2),
// F_SETLEASE), which it grants only on a file that nobody writes.
//
// Owned by the thread that seals a file. Not thread-safe. Blocks for the kernel only. Whoever opens
// the file for writing while this holds the lease waits until it goes.
#pragma once

#include "absl/status/statusor.h"

namespace packice {

class WriteGuard {
 public:
  // `fd` must be open for reading only, and outlive this. `busy` while there is a writer. Where the
  // file system has no leases, or the file is another user's, nothing is guarded.
  static absl::StatusOr<WriteGuard> Take(int fd);

  WriteGuard(WriteGuard&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  WriteGuard& operator=(WriteGuard&&) = delete;
  ~WriteGuard();

  // False once somebody has tried to open the file for writing, or to truncate it.
  bool Undisturbed() const;

 private:
  explicit WriteGuard(int fd) : fd_(fd) {}

  int fd_;  // -1: no lease
};

}  // namespace packice
