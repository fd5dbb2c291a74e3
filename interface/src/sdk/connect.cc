#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "packice/client.h"
#include "packice/core/error.h"
#include "packice/peers/memory_peer.h"
#include "sdk/connection.h"
#include "sdk/named_peers.h"
#include "sdk/node_peer.h"

namespace packice {
namespace {

using ConnectionOr = absl::StatusOr<std::shared_ptr<sdk::Connection>>;

ConnectionOr ConnectRemote(absl::string_view target, const ConnectOptions& options) {
  absl::StatusOr<sdk::NodePeer> peer = sdk::ConnectToNode(target, options);
  if (!peer.ok()) return peer.status();
  return absl::visit(
      [&](auto& remote) { return sdk::Connection::ToNode(std::move(remote), options); }, *peer);
}

ConnectionOr ConnectNamed(absl::string_view name, const ConnectOptions& options) {
  if (name.empty()) {
    return MakeError(ErrorKind::kInvalidArgument, "memory:// wants a name, as in memory://cache");
  }
  return sdk::Connection::InProcess(sdk::NamedMemoryPeer(name), options);
}

ConnectionOr Open(absl::string_view target, const ConnectOptions& options) {
  if (target.empty()) return sdk::Connection::InProcess(MakeMemoryPeer(), options);
  absl::string_view rest = target;
  if (absl::ConsumePrefix(&rest, "memory://")) return ConnectNamed(rest, options);
  if (sdk::IsNodeAddress(target)) return ConnectRemote(target, options);
  const bool has_scheme = target.find("://") != absl::string_view::npos;
  return MakeError(has_scheme ? ErrorKind::kUnsupported : ErrorKind::kInvalidArgument,
                   absl::StrCat("no node can be reached as \"", target,
                                "\"; this build knows /path and unix:/path (a Unix socket), "
                                "http://HOST:PORT, https://HOST:PORT, memory://NAME, and an empty "
                                "target"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Connect(absl::string_view target,
                                                const ConnectOptions& options) {
  ConnectionOr connection = Open(target, options);
  if (!connection.ok()) return connection.status();
  return std::unique_ptr<Client>(new Client(*std::move(connection)));
}

std::unique_ptr<Client> ConnectDirect(std::shared_ptr<Peer> peer, const ConnectOptions& options) {
  return std::unique_ptr<Client>(new Client(sdk::Connection::InProcess(std::move(peer), options)));
}

}  // namespace packice
