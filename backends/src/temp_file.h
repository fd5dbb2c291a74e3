// Unlinked temporary files, where memfd is not to be had. Free functions; thread-safe; they may
// block on the file system.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "packice/core/unique_fd.h"

namespace packice::temp_file {

// An empty file without a name, open for reading and writing. `permission_denied`, `io`,
// `capacity`.
absl::StatusOr<UniqueFd> Open(const std::string& directory);

// The same file, opened anew for reading only.
absl::StatusOr<UniqueFd> ReopenReadOnly(int fd);

}  // namespace packice::temp_file
