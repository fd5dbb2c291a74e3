// The engine's view of this node's objects: leases at the node's own peer. Calls of LocalObjects
// come from the engine's thread; the others may come from any.
#pragma once

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "manifests.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/p2p/transfer_engine.h"
#include "partial_pieces.h"
#include "post.h"
#include "swarm_lease.h"
#include "work_threads.h"

namespace packice {

class NodeObjects final : public LocalObjects {
 public:
  // All outlive it. `keep`: how long what a download left is kept for the next one.
  NodeObjects(Peer& local, Manifests& manifests, WorkThreads& work, Post post, const Clock& clock,
              absl::Duration keep);
  ~NodeObjects() override;

  void Borrow(const ObjectId& object_id,
              Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) override;
  void Create(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest,
              Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) override;
  void Seal(std::shared_ptr<PieceStore> store, Done<absl::Status> done) override;
  void Abandon(std::shared_ptr<PieceStore> store) override;
  void Discard(const ObjectId& object_id, Done<absl::Status> done) override;

  // For an object that comes otherwise than by pieces: a lease to create it, in the place of what a
  // download may have left of it. The swarm owns it until EndCopy. Blocks. Errors of Acquire.
  absl::StatusOr<SwarmLease> BeginCopy(AcquireRequest create);
  void EndCopy(const ObjectId& object_id);

  // Whether the swarm is at creating the object, or it is what a download left.
  bool Owns(const ObjectId& object_id) const;
  // Gives up what a download left of the object, or of any: somebody needs the id, or the room.
  // Answers whether there was something.
  bool Drop(const ObjectId& object_id);
  bool DropAll();
  // Gives up what was kept for long enough.
  void DropOld();

 private:
  struct Kept {
    std::shared_ptr<PartialPieces> pieces;
    Instant until;
  };

  void CreateNew(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest, bool may_drop,
                 Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done);
  void Started(std::shared_ptr<const Manifest> manifest, Grant grant,
               Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done);
  void Own(const ObjectId& object_id);
  void Forget(const ObjectId& object_id);

  Peer& local_;
  Manifests& manifests_;
  WorkThreads& work_;
  const Post post_;
  const Clock& clock_;
  const absl::Duration keep_;
  const SessionId session_ = NewSessionId();
  mutable Mutex mutex_;
  absl::flat_hash_set<ObjectId> owned_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ObjectId, Kept> kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
