// What flags or a configuration file say of a node's part in a swarm.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cli/target.h"

namespace packice::cli {

struct SwarmSpec {
  std::string listen;     // where it gives pieces
  std::string advertise;  // what others dial; empty: where it listens
  std::vector<std::string> trackers;
  std::string gossip_listen;
  std::string gossip_advertise;
  std::vector<std::string> join;
  std::string gossip_seeds;  // a file that remembers members; empty: nothing does
  std::string zone;
  std::string cluster = "packice";
  std::string digest = "xxh3";
  absl::optional<uint64_t> up_limit;  // bytes a second
  absl::optional<uint64_t> down_limit;
  Target origin;  // an empty address: none
  std::string origin_kind = "packice";
  std::string token_file;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  std::string send_path = "write";
  bool insecure = false;

  bool has_directory() const {
    return !trackers.empty() || !gossip_listen.empty() || !join.empty();
  }
  bool has_tls() const { return !tls_cert.empty(); }
};

// The host of "host:port" or "[::1]:port". `invalid_argument`, which names `flag`, for anything
// else.
absl::StatusOr<std::string> HostOf(absl::string_view address, absl::string_view flag);

// Fills in what follows from the rest. Nothing when the node is in no swarm. `invalid_argument` for
// what does not go together, with the remedy: among it a listener beyond loopback with neither
// token nor TLS nor `insecure`.
absl::StatusOr<absl::optional<SwarmSpec>> CompleteSwarm(SwarmSpec spec);

}  // namespace packice::cli
