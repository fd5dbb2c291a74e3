// The directories that a node of a swarm goes by, as one: trackers first, then what members tell
// each other. Owned by the node's SwarmPeer. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/swarm_spec.h"
#include "packice/core/event_sink.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/directory_chain.h"
#include "packice/p2p/gossip_node.h"
#include "packice/p2p/tracker_directory.h"

namespace packice::cli {

class FleetDirectory final : public Directory {
 public:
  struct Options {
    std::string address;           // where the node gives pieces
    std::string token;             // of the fleet; may be empty
    std::function<double()> load;  // of the node's uplink
    EventSink* events = &EventSink::Null();
    std::function<void(absl::string_view)> log = [](absl::string_view) {};
  };

  // Listens for gossip when it returns, where the spec says so. Requires: the spec is of
  // CompleteSwarm. Errors are those of GossipNode::Start and TrackerDirectory::Make.
  static absl::StatusOr<std::unique_ptr<FleetDirectory>> Make(const SwarmSpec& spec,
                                                              const Options& options);

  GossipNode* gossip() const { return gossip_.get(); }            // may be null
  TrackerDirectory* trackers() const { return trackers_.get(); }  // may be null

  // Tells everybody that this node goes. Blocks, at most `patience`.
  void Leave(absl::Duration patience);

  // Prometheus' text of those there are.
  std::string MetricsText() const;

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override;
  void Announce(const Holding& holding) override;
  void Withdraw(const ObjectId& object_id) override;
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) override;
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override;
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;

 private:
  FleetDirectory() = default;

  // First, so that it outlives what its questions wait for.
  std::unique_ptr<DirectoryChain> chain_;
  std::unique_ptr<GossipNode> gossip_;
  std::unique_ptr<TrackerDirectory> trackers_;
};

}  // namespace packice::cli
