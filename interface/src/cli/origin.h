// Where a swarm's objects come from that no node holds.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "cli/swarm_spec.h"
#include "packice/core/peer.h"

namespace packice::cli {

// Null where the spec names none. A node must answer; a web server is reached when it is needed.
// Errors are those of HttpPeer::Connect and WebPeer::Connect, and of a token that cannot be read.
absl::StatusOr<std::unique_ptr<Peer>> OpenOrigin(const SwarmSpec& spec);

}  // namespace packice::cli
