// A node put together: what keeps its objects, the peer over it, its part in a swarm, the servers
// in front.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/commands.h"
#include "cli/peer_stack.h"
#include "cli/swarm_extension.h"
#include "cli/swarm_node.h"
#include "cli/tier_spec.h"
#include "packice/core/event_ring.h"
#include "packice/core/event_sink.h"
#include "packice/transport/http_server.h"
#include "packice/transport/node_metrics.h"
#include "packice/transport/uds_server.h"

namespace packice::cli {

// For one thread; logs through glog. Stops at once when it goes, if it was not drained.
class Node {
 public:
  // Serves when it returns. A durable node is recovered first, which blocks for that long. `sink`
  // outlives the node; `events`, which may be null, are what clients may watch. Errors are those of
  // the peer and of the servers.
  static absl::StatusOr<std::unique_ptr<Node>> Start(const ServeArgs& args,
                                                     const std::vector<TierSpec>& tiers,
                                                     EventSink& sink,
                                                     std::shared_ptr<EventRing> events);
  ~Node();

  // "unix:/tmp/packice.sock http://127.0.0.1:8080", in the order that the transports were asked
  // for, then those of the swarm.
  const std::string& addresses() const { return addresses_; }

  // Takes no more connections and answers what was asked, on all transports at the same time; then
  // finishes what nodes of the swarm asked for and tells them good-bye; then has the colder tiers
  // take what memory alone has, and closes what keeps the objects. Blocks, at most `grace` for the
  // clients, as long for the swarm, and `flush_grace` for the tiers. Answers what was lost by it.
  absl::Status Drain(absl::Duration grace, absl::Duration flush_grace);

 private:
  Node() = default;
  absl::Status JoinSwarm(const SwarmSpec& spec, EventSink& sink);
  Peer& peer() { return swarm_ != nullptr ? swarm_->peer() : stack_->peer(); }
  absl::Status Listen(const ServeArgs& args);
  absl::Status ListenOnSocket(const ServeArgs& args);
  absl::Status ListenOnHttp(const ServeArgs& args);

  // The swarm stands before the stack, whose peer it then has.
  std::unique_ptr<ChangeFeed> changes_;  // null: in no swarm
  std::unique_ptr<PeerStack> stack_;
  std::unique_ptr<SwarmNode> swarm_;  // may be null
  std::unique_ptr<SwarmExtension> extension_;
  std::shared_ptr<NodeMetrics> metrics_;
  std::shared_ptr<EventRing> events_;
  std::unique_ptr<UdsServer> uds_;
  std::unique_ptr<HttpServer> http_;
  std::string addresses_;
};

}  // namespace packice::cli
