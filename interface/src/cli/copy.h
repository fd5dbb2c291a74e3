// Bytes between descriptors and objects. All block, and answer `io` where a system call fails.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/progress.h"
#include "packice/client.h"

namespace packice::cli {

// The first `size` bytes of a regular file. `io` when it has fewer by now.
absl::Status CopyFile(int fd, uint64_t size, Writer& writer, Progress& progress);

// All that can be read from a pipe, a terminal, a device. Answers how many bytes.
absl::StatusOr<uint64_t> CopyStream(int fd, Writer& writer, Progress& progress);

// All bytes of an object, blob after blob.
absl::Status CopyOut(const Reader& reader, int fd, Progress& progress);

}  // namespace packice::cli
