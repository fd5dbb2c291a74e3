// Serves a Peer over HTTP/1.1, so that any HTTP client can use it: the control protocol as JSON
// bodies, and the objects' bytes as resources. docs/protocol.md has the endpoints.
//
// Owns its threads and its sockets; the peer outlives it. Leases that are asked for over HTTP
// always have a TTL and belong to nobody; those that a single request takes for itself (GET and PUT
// of an object) end with it, also when the client goes away. The destructor stops at once; Drain
// stops politely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/event_ring.h"
#include "packice/core/peer.h"
#include "packice/transport/node_extension.h"
#include "packice/transport/node_metrics.h"
#include "packice/transport/protocol.h"

namespace packice {

struct HttpServerOptions {
  // An IP address, or "localhost". Beyond loopback the server wants a token, or to be told that it
  // may do without.
  std::string host = "127.0.0.1";
  uint16_t port = 8080;  // 0: any
  bool insecure = false;
  // What clients send as `Authorization: Bearer ...`. Empty: nobody is asked.
  std::string token = {};
  // PEM files. Both or neither; with them the server speaks TLS (1.2 and later) only.
  std::string tls_cert = {};
  std::string tls_key = {};

  size_t threads = 2;
  // For what may block on a disk: bodies of PUT, bytes that are not in the page cache.
  size_t blocking_threads = 4;

  // Further connections get `capacity` (503) and are closed.
  size_t max_connections = 8192;
  // Requests that are waited for or transferred at a time, over all connections; further ones get
  // `capacity` (503).
  size_t max_in_flight = 4096;
  // Of one connection: how many pipelined requests are answered before their answers are sent.
  size_t max_pipelined = 64;
  size_t max_header_bytes = 16 * 1024;         // request line and headers together (431)
  size_t max_target_bytes = 8 * 1024;          // 414
  size_t max_body_bytes = kMaxRequestBytes;    // of a JSON body (413)
  uint64_t max_put_bytes = uint64_t{1} << 40;  // of an object or blob (413)

  // Between two requests; then the connection is closed.
  absl::Duration idle_timeout = absl::Seconds(75);
  // From a request's first byte to the end of its headers (408).
  absl::Duration header_timeout = absl::Seconds(10);
  // Every further 64 KiB of a body, in either direction, must be through in this time (408).
  absl::Duration stall_timeout = absl::Seconds(30);

  // The TTL of a lease that is asked for without one.
  absl::Duration default_ttl = absl::Seconds(60);

  // What /version answers.
  std::string version = {};
  // Shared with the node's other transports. Null: the server has its own.
  std::shared_ptr<NodeMetrics> metrics = nullptr;
  // What /events tells. Null: it is `unsupported`.
  std::shared_ptr<EventRing> events = nullptr;
  // Operations beyond the peer's; outlives the server. Null: there are none.
  NodeExtension* extension = nullptr;
  // Told of what an operator should know, one line each, never with a token in it. Called from any
  // thread, at most once a second for each kind.
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

class HttpServer {
 public:
  // Listens when it returns. `invalid_argument` for options that do not go together, among them an
  // address beyond loopback without token and without `insecure`; `busy` when the address is taken;
  // `io`, `permission_denied` for what the system refuses; `not_found` for a certificate or key
  // that is not there.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(Peer& peer, HttpServerOptions options);
  ~HttpServer();

  // With the port that was chosen: "http://127.0.0.1:8080".
  const std::string& url() const;
  uint16_t port() const;

  // Takes no more connections, answers what has been asked, ends waits with `unavailable`, then
  // closes. Blocks until all is closed, at most `grace`.
  void Drain(absl::Duration grace);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
