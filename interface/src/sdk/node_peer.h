// A node in another process, as a Peer, by its address.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/variant.h"
#include "packice/client.h"
#include "packice/transport/http_peer.h"
#include "packice/transport/uds_peer.h"

namespace packice::sdk {

using NodePeer = absl::variant<std::unique_ptr<UdsPeer>, std::unique_ptr<HttpPeer>>;

// Whether it has the form of a node's address: "/path", "unix:/path", "http://...", "https://...".
bool IsNodeAddress(absl::string_view address);

// Connects; blocks for the node's first answer. Requires: IsNodeAddress. Errors are those of
// UdsPeer::Connect and HttpPeer::Connect.
absl::StatusOr<NodePeer> ConnectToNode(absl::string_view address, const ConnectOptions& options);

}  // namespace packice::sdk
