// The token that clients of an HTTP node show.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace packice::cli {

// The one line that the file holds. `invalid_argument` when it cannot be opened, or what it holds
// is no token: nothing, more than a line, or bytes that cannot stand in a header.
absl::StatusOr<std::string> ReadToken(const std::string& file);

// Whether other users may read the file.
bool IsOpenToOthers(const std::string& file);

}  // namespace packice::cli
