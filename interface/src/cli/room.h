// How much room a node's objects get.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cli/commands.h"

namespace packice::cli {

struct Room {
  uint64_t bytes;
  std::string reason;  // for the log; empty where it was asked for
};

// --capacity, or a share of what there is: half of the memory that this process may use, nine
// tenths of the file system that `args.data` is or will be on. `io`.
absl::StatusOr<Room> RoomOf(const ServeArgs& args);

}  // namespace packice::cli
