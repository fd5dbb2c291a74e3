// A tracker that is asked from the command line.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "cli/target.h"
#include "packice/p2p/tracker_directory.h"

namespace packice::cli {

// Reaches no tracker yet. Without a token file, $PACKICE_TOKEN is the token. Errors are those of
// ReadToken and TrackerDirectory::Make.
absl::StatusOr<std::unique_ptr<TrackerDirectory>> DialTracker(const TrackerAccess& access);

}  // namespace packice::cli
