#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "packice/backends/piece_hash.h"
#include "packice/client.h"
#include "packice/core/error.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_peer.h"
#include "packice/transport/uds_peer.h"
#include "sdk/connection.h"
#include "sdk/named_peers.h"

namespace packice {
namespace {

using ConnectionOr = absl::StatusOr<std::shared_ptr<sdk::Connection>>;

ConnectionOr ConnectSocket(absl::string_view path, const ConnectOptions& options) {
  absl::StatusOr<std::unique_ptr<UdsPeer>> peer =
      UdsPeer::Connect({.path = std::string(path), .call_timeout = options.call_timeout});
  if (!peer.ok()) return peer.status();
  return sdk::Connection::ToNode(*std::move(peer), options);
}

ConnectionOr ConnectHttp(absl::string_view url, const ConnectOptions& options) {
  HttpPeerOptions http;
  http.url = std::string(url);
  http.token = options.token;
  http.ca_file = options.ca_file;
  http.call_timeout = options.call_timeout;
  http.hash = &HashPiece;
  absl::StatusOr<std::unique_ptr<HttpPeer>> peer = HttpPeer::Connect(std::move(http));
  if (!peer.ok()) return peer.status();
  return sdk::Connection::ToNode(*std::move(peer), options);
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
  if (absl::ConsumePrefix(&rest, "unix:") || rest.front() == '/') {
    return ConnectSocket(rest, options);
  }
  if (absl::StartsWith(target, "http://") || absl::StartsWith(target, "https://")) {
    return ConnectHttp(target, options);
  }
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
