#include "sdk/node_peer.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "packice/backends/piece_hash.h"

namespace packice::sdk {
namespace {

bool IsUrl(absl::string_view address) {
  return absl::StartsWith(address, "http://") || absl::StartsWith(address, "https://");
}

}  // namespace

bool IsNodeAddress(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || absl::StartsWith(address, "/") || IsUrl(address);
}

absl::StatusOr<NodePeer> ConnectToNode(absl::string_view address, const ConnectOptions& options) {
  if (!IsUrl(address)) {
    absl::ConsumePrefix(&address, "unix:");
    UdsPeerOptions uds;
    uds.path = std::string(address);
    uds.call_timeout = options.call_timeout;
    uds.spin = options.spin;
    absl::StatusOr<std::unique_ptr<UdsPeer>> peer = UdsPeer::Connect(std::move(uds));
    if (!peer.ok()) return peer.status();
    return NodePeer(*std::move(peer));
  }
  HttpPeerOptions http;
  http.url = std::string(address);
  http.token = options.token;
  http.ca_file = options.ca_file;
  http.call_timeout = options.call_timeout;
  http.hash = &HashPiece;
  absl::StatusOr<std::unique_ptr<HttpPeer>> peer = HttpPeer::Connect(std::move(http));
  if (!peer.ok()) return peer.status();
  return NodePeer(*std::move(peer));
}

}  // namespace packice::sdk
