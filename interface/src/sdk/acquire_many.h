// Many leases in few messages.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "packice/core/peer.h"
#include "sdk/lease_hold.h"

namespace packice::sdk {

// A message of a Unix socket carries at most 253 descriptors (SCM_MAX_FD, unix(7)), and some
// objects have more than one.
inline constexpr size_t kMaxGathered = 128;

// Asks for all at once and blocks until the last answer is there. Answers in order; a request that
// is a failure is answered by it. Requires: at most kMaxGathered requests.
std::vector<absl::StatusOr<Granted>> AcquireMany(
    const std::shared_ptr<Connection>& connection,
    std::vector<absl::StatusOr<AcquireRequest>> requests);

}  // namespace packice::sdk
