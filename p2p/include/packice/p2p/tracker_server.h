// A tracker: knows which node holds what, by what nodes tell it, and tells it to who asks. Soft
// state only: what is not told again is forgotten, and a tracker started anew is told everything
// within one interval.
//
// Owns its gRPC server and its threads. Thread-safe. The destructor stops at once; Drain politely.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"

namespace packice {

// TLS of a gRPC server or client: PEM files. A server with `authority` wants certificates of its
// clients that it signed; a client trusts servers that it signed.
struct GrpcTls {
  std::string certificate;
  std::string key;
  std::string authority;

  bool empty() const { return certificate.empty() && key.empty() && authority.empty(); }
};

struct TrackerOptions {
  std::string listen = "127.0.0.1:7700";  // port 0: any
  // Beyond loopback though nobody is asked who he is: neither by a token nor, with an authority of
  // TLS, by a certificate.
  bool insecure = false;
  std::string token;  // empty: nobody is asked
  GrpcTls tls;
  // How often nodes announce. One that has not for three intervals is gone.
  absl::Duration interval = absl::Seconds(15);
  // Nodes that may read one object from the origin at a time, and for how long each.
  uint32_t origin_grants = 2;
  absl::Duration origin_grant = absl::Seconds(60);
  uint64_t max_holdings = 20'000'000;  // further ones are refused with `capacity`
  uint64_t max_holdings_of_node = 10'000'000;
  Clock* clock = &Clock::System();
  uint64_t seed = 0;  // of random choices; 0: chosen
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

struct TrackerStats {
  uint64_t nodes = 0;
  uint64_t objects = 0;
  uint64_t holdings = 0;
  uint64_t watches = 0;
  uint64_t origin_grants = 0;  // live ones
  uint64_t announces = 0;
  uint64_t announced_objects = 0;
  uint64_t locates = 0;
  uint64_t located = 0;  // of these, with a holder
  uint64_t reports = 0;
  uint64_t expired_nodes = 0;
  absl::Duration uptime;
};

class TrackerServer {
 public:
  // Listens when it returns. `invalid_argument` for options that do not go together, an address
  // beyond loopback without token, TLS with an authority or `insecure` among them; `io` for files
  // of TLS that cannot be read; `busy` when the address is taken.
  static absl::StatusOr<std::unique_ptr<TrackerServer>> Start(TrackerOptions options);
  ~TrackerServer();

  const std::string& address() const;  // with the port that was chosen
  TrackerStats Stats() const;
  std::string MetricsText() const;  // Prometheus

  // Answers what has been asked, ends watches, then closes. Blocks, at most `grace`.
  void Drain(absl::Duration grace);

 private:
  class Impl;
  explicit TrackerServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
