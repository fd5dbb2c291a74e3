// A node's part in a swarm, put together: directories, origin, and the SwarmPeer over what keeps
// the node's objects.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/fleet_directory.h"
#include "cli/swarm_spec.h"
#include "cli/swarm_view.h"
#include "packice/core/event_sink.h"
#include "packice/core/mutex.h"
#include "packice/p2p/change_feed.h"
#include "packice/p2p/swarm_peer.h"

namespace packice::cli {

// Thread-safe as a SwarmView; the rest is for one thread. Stops at once when it goes.
class SwarmNode final : public SwarmView {
 public:
  using Log = std::function<void(absl::string_view)>;

  // Gives pieces when it returns. `changes` is the sink of `local`; it, `events` and `log` outlive
  // the node. Requires: the spec is of CompleteSwarm. Errors are those of the parts.
  static absl::StatusOr<std::unique_ptr<SwarmNode>> Start(const SwarmSpec& spec,
                                                          std::unique_ptr<Peer> local,
                                                          ChangeFeed& changes, EventSink& events,
                                                          Log log);
  ~SwarmNode() override;

  // What transports stand in front of.
  Peer& peer() { return *peer_; }
  // "p2p://127.0.0.1:7701 gossip://127.0.0.1:7702"
  std::string addresses() const;

  // Finishes what other nodes have asked for, then tells the fleet that this one goes. What keeps
  // the objects lives on until this goes. Blocks, at most about `grace`.
  void Drain(absl::Duration grace);

  Member Self() const override;
  void Members(Done<absl::StatusOr<std::vector<Member>>> done) override;
  void StatHere(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override;
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;
  void Prefetch(FetchRequest request, Done<absl::Status> done) override;
  void Cancel(OperationId operation) override;
  void DiscardEverywhere(const ObjectId& object_id,
                         Done<absl::StatusOr<std::vector<SwarmPeer::Removal>>> done) override;
  void Transfers(const absl::optional<ObjectId>& object_id,
                 Done<absl::StatusOr<std::vector<TransferInfo>>> done) override;
  void Downloads(Done<absl::StatusOr<std::vector<DownloadInfo>>> done) override;
  SwarmFigures Figures() const override;
  std::string DirectoryMetrics() const override;

 private:
  class Errands;

  SwarmNode();
  std::vector<Member> AskTrackers() const;

  std::string zone_;
  // What directories ask for the load; null before the peer is there.
  std::atomic<SwarmPeer*> loaded_{nullptr};
  std::unique_ptr<SwarmPeer> peer_;
  FleetDirectory* fleet_ = nullptr;  // the peer's
  // Ended first: what blocks runs there, and looks at the rest.
  std::unique_ptr<Errands> errands_;
};

}  // namespace packice::cli
