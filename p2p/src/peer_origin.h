// An origin that is a peer: another node, or an HTTP server. Calls come from the engine's thread.
#pragma once

#include <memory>

#include "node_objects.h"
#include "packice/core/peer.h"
#include "packice/p2p/transfer_engine.h"
#include "post.h"
#include "work_threads.h"

namespace packice {

class PeerOrigin final : public Origin {
 public:
  // All outlive it. A copy that is under way ends when `work` stops.
  PeerOrigin(Peer& origin, Peer& local, NodeObjects& objects, WorkThreads& work, Post post)
      : origin_(origin), local_(local), objects_(objects), work_(work), post_(std::move(post)) {}

  void Copy(const ObjectId& object_id, Done<absl::Status> done) override;

 private:
  absl::Status CopyNow(const ObjectId& object_id);
  absl::Status CopyInto(const SwarmLease& reading, const SwarmLease& writing,
                        absl::optional<absl::Time> expires_at);

  Peer& origin_;
  Peer& local_;
  NodeObjects& objects_;
  WorkThreads& work_;
  const Post post_;
  const SessionId session_ = NewSessionId();
};

}  // namespace packice
