#include "cli/origin.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/session.h"
#include "cli/token.h"
#include "packice/client.h"
#include "packice/transport/web_peer.h"
#include "sdk/node_peer.h"

namespace packice::cli {
namespace {

absl::StatusOr<std::unique_ptr<Peer>> OpenWeb(const Target& origin, const std::string& token) {
  WebPeerOptions options;
  options.token = token;
  options.ca_file = origin.ca_file;
  return WebPeer::Connect(origin.address, std::move(options));
}

absl::StatusOr<std::unique_ptr<Peer>> OpenNode(const Target& origin, const std::string& token) {
  ConnectOptions options;
  options.token = token;
  options.ca_file = origin.ca_file;
  absl::StatusOr<sdk::NodePeer> peer = sdk::ConnectToNode(origin.address, options);
  if (!peer.ok()) return peer.status();
  return absl::visit([](auto& remote) { return std::unique_ptr<Peer>(std::move(remote)); }, *peer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Peer>> OpenOrigin(const SwarmSpec& spec) {
  const Target& origin = spec.origin;
  if (origin.address.empty()) return std::unique_ptr<Peer>();
  std::string token;
  if (!origin.token_file.empty()) {
    absl::StatusOr<std::string> read = ReadToken(origin.token_file);
    if (!read.ok()) return read.status();
    token = *std::move(read);
  }
  auto peer = spec.origin_kind == "web" ? OpenWeb(origin, token) : OpenNode(origin, token);
  if (peer.ok()) return peer;
  return Annotate(peer.status(), absl::StrCat("the origin ", origin.address));
}

}  // namespace packice::cli
