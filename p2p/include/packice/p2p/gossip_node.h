// A member of a fleet: knows who else is there, by SWIM with Lifeguard's additions over gRPC, and
// what each holds by a small filter, so that small fleets need no tracker.
//
// Owns its gRPC server, channels and threads. Thread-safe. References: SWIM (Das, Gupta, Motivala,
// DSN 2002), Lifeguard (Dadgar, Phillips, Currey, DSN 2018).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/random.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/tracker_server.h"

namespace packice {

enum class MemberState : uint8_t { kAlive, kSuspect, kDead, kLeft };
absl::string_view MemberStateName(MemberState state);  // "alive", "suspect", "dead", "left"

struct Member {
  std::string gossip_address;  // names the member
  std::string address;         // where it gives pieces; empty: it gives none
  MemberState state = MemberState::kAlive;
  uint64_t incarnation = 0;
  std::string zone;
  std::string role;  // "node", "tracker"
  double load = 0;
  absl::Duration age;  // since its state changed
};

struct GossipOptions {
  std::string listen = "127.0.0.1:0";
  // What others dial; empty: where it listens. Needed where it listens on all addresses.
  std::string advertise;
  std::vector<std::string> join;    // members to begin with
  std::string address;              // where this node gives pieces
  std::string cluster = "packice";  // messages of other clusters are refused
  std::string zone;
  std::string role = "node";
  bool insecure = false;
  std::string token;
  GrpcTls tls;
  // Remembers the members, so that a mass restart finds together again. Empty: nothing does.
  std::string seeds_file;
  absl::Duration probe_interval = absl::Seconds(1);
  absl::Duration probe_timeout = absl::Milliseconds(500);
  absl::Duration gossip_interval = absl::Milliseconds(200);
  absl::Duration exchange_interval = absl::Seconds(30);  // push-pull with a random member
  std::function<double()> load = [] { return 0.0; };
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  EventSink* events = &EventSink::Null();  // peer joined, left, suspected
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

struct GossipCounters {
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t probes = 0;
  uint64_t failed_probes = 0;
  uint64_t suspicions = 0;
  uint64_t refutations = 0;
  uint32_t health = 0;       // Lifeguard's local health multiplier, 0 to 7
  uint64_t hints = 0;        // objects that a filter told of
  uint64_t false_hints = 0;  // of these, not held
};

class GossipNode {
 public:
  // Listens when it returns; joins in the background, again and again. `invalid_argument` for
  // options that do not go together, an address beyond loopback without token, authority or
  // `insecure` among them; `busy` when the address is taken; `io` for files of TLS.
  static absl::StatusOr<std::unique_ptr<GossipNode>> Start(GossipOptions options);
  ~GossipNode();

  const std::string& gossip_address() const;
  std::vector<Member> Members() const;
  GossipCounters counters() const;
  std::string MetricsText() const;

  // The directory that goes by the members' filters. Outlived by the node; one for each node.
  Directory& directory();

  // Tells the others that this node goes. Blocks, at most `patience`.
  void Leave(absl::Duration patience);

 private:
  class Impl;
  explicit GossipNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
