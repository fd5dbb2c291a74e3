// Where damaged and unknown files go instead of being deleted: quarantine/ of a data directory.
//
// Functions only; thread-safe. They block for the file system.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/backends/data_directory.h"

namespace packice {

// Moves `relative`, a file or directory in `directory`, to quarantine/ and writes a text file
// beside it, "<name>.why", that says what it was, when it was set aside and `why`. Both are on disk
// when this returns. Returns the new path, relative. `not_found` when there is no such file,
// `capacity`, `io`.
absl::StatusOr<std::string> SetAside(const DataDirectory& directory, const std::string& relative,
                                     absl::string_view why, absl::Time now);

}  // namespace packice
