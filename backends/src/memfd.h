// The kernel's anonymous memory files, memfd_create(2), with Packice's errors. Free functions over
// plain descriptors; thread-safe; none blocks on anything but the kernel.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "packice/core/unique_fd.h"

namespace packice::memfd {

// What Seal promises of a blob: no byte and no size changes any more, and no seal either.
extern const int kFrozen;
// What holds a writer to a declared size.
extern const int kFixedSize;

// An empty memfd that takes seals and is closed on exec. `name` shows in /proc/PID/maps.
// `unsupported` where the kernel or a sandbox has no memfd, `capacity` when descriptors or memory
// run out.
absl::StatusOr<UniqueFd> Create(const char* name);

// Adds all of `seals` or none. `busy` for F_SEAL_WRITE while somebody maps the memory writable;
// `permission_denied` when it was sealed against further seals. Adding what is there already is no
// error.
absl::Status AddSeals(int fd, int seals);

// The seals that are there.
absl::StatusOr<int> Seals(int fd);

}  // namespace packice::memfd
