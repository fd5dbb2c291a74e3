// The size of an open file, memory or not, with Packice's errors. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace packice {

// In bytes.
absl::StatusOr<uint64_t> FileSize(int fd);

// `invalid_argument` for a size that no file can have (2^63 bytes or more), `capacity` for one that
// is beyond all the room there is where `fd` lives: its file system, or for a memfd the machine's
// memory and swap space.
absl::Status CheckFileSize(int fd, uint64_t size);

// As CheckFileSize; `permission_denied` where a seal is in the way.
absl::Status SetFileSize(int fd, uint64_t size);

}  // namespace packice
