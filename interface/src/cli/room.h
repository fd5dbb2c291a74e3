// How much room a tier's objects get.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cli/tier_spec.h"

namespace packice::cli {

struct Room {
  uint64_t bytes;
  std::string reason;  // for the log; empty where it was asked for
};

// Its capacity, or a share of what there is: half of the memory that this process may use, nine
// tenths of the file system that its directory is or will be on. `io`. Requires: it is no remote
// one.
absl::StatusOr<Room> RoomOf(const TierSpec& tier);

}  // namespace packice::cli
