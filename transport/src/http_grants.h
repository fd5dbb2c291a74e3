// From a node's grant over HTTP to what a Peer's caller was promised. Used by HttpPeer.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "http_transfer.h"
#include "packice/core/peer.h"
#include "packice/core/piece_sums.h"
#include "packice/transport/protocol.h"

namespace packice {

// The object that a granted lease is for: over its files, where a handle's path leads to the file
// that the node means, else over streams. `declared`: its size was, if it is being created. `now`
// is when it was granted; `session`, if there is one, keeps the lease without a TTL. Opens files.
// `corrupt` when a file is not as long as the node says.
absl::StatusOr<Grant> MakeHttpGrant(GrantReply reply, absl::optional<SessionId> session,
                                    bool declared, Instant now,
                                    const std::shared_ptr<HttpTransfer>& transfer, PieceHash hash);

}  // namespace packice
