// What a node's operators ask of its part in a swarm: SwarmNode, or a fake. Thread-safe; no call
// blocks; callbacks run on any thread, possibly before the call returns.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/core/peer.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/gossip_node.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/transfer_engine.h"

namespace packice::cli {

// What is counted and not told by directories.
struct SwarmFigures {
  TransferCounters transfers;
  size_t links = 0;    // open now
  size_t members = 0;  // alive, this node among them
};

class SwarmView {
 public:
  virtual ~SwarmView() = default;

  // This node, as others see it.
  virtual Member Self() const = 0;
  // This node and everybody it knows.
  virtual void Members(Done<absl::StatusOr<std::vector<Member>>> done) = 0;
  // What this node itself has of the object.
  virtual void StatHere(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) = 0;
  // The rest as SwarmPeer has them.
  virtual void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) = 0;
  virtual void List(const std::string& prefix, const std::string& after, size_t limit,
                    Done<absl::StatusOr<std::vector<ObjectId>>> done) = 0;
  virtual void Prefetch(FetchRequest request, Done<absl::Status> done) = 0;
  virtual void Cancel(OperationId operation) = 0;
  virtual void DiscardEverywhere(const ObjectId& object_id,
                                 Done<absl::StatusOr<std::vector<SwarmPeer::Removal>>> done) = 0;
  virtual void Transfers(const absl::optional<ObjectId>& object_id,
                         Done<absl::StatusOr<std::vector<TransferInfo>>> done) = 0;
  virtual void Downloads(Done<absl::StatusOr<std::vector<DownloadInfo>>> done) = 0;
  virtual SwarmFigures Figures() const = 0;
  // Prometheus' text of its directories.
  virtual std::string DirectoryMetrics() const = 0;
};

}  // namespace packice::cli
