// What a node with objects in memory offers to clients that read without messages: the index of
// those objects, and what becomes of the clients' hints.
//
// Owned by the node; outlives the memory peer, which tells the index, and the servers. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "packice/backends/segment_index.h"
#include "packice/peers/local_peer.h"
#include "packice/transport/shared_reads.h"

namespace packice::cli {

class NodeReads final : public SharedReads {
 public:
  // Errors are those of ReadIndex::Create.
  static absl::StatusOr<std::unique_ptr<NodeReads>> Create();

  // For LocalPeerOptions::index.
  ObjectIndex& objects() { return objects_; }
  // Who is told of reads: the peer that tells the index. It outlives the sessions.
  void CountAt(LocalPeer& peer) { peer_.store(&peer, std::memory_order_release); }

  std::shared_ptr<const UniqueFd> index() const override { return objects_.index().descriptor(); }
  uint64_t first_segment() const override { return objects_.first_segment(); }
  absl::StatusOr<std::unique_ptr<Session>> Open() override;

 private:
  class OneSession;

  explicit NodeReads(std::unique_ptr<ReadIndex> index) : objects_(std::move(index)) {}

  SegmentIndex objects_;
  std::atomic<LocalPeer*> peer_{nullptr};
};

}  // namespace packice::cli
