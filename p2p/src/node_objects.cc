#include "node_objects.h"

#include <utility>
#include <vector>

#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "sealed_pieces.h"

namespace packice {

using StoreDone = Done<absl::StatusOr<std::shared_ptr<PieceStore>>>;

NodeObjects::NodeObjects(Peer& local, Manifests& manifests, WorkThreads& work, Post post,
                         const Clock& clock, absl::Duration keep)
    : local_(local),
      manifests_(manifests),
      work_(work),
      post_(std::move(post)),
      clock_(clock),
      keep_(keep) {}

NodeObjects::~NodeObjects() { local_.EndSession(session_); }

void NodeObjects::Borrow(const ObjectId& object_id, StoreDone done) {
  AcquireRequest request;
  request.object_id = object_id;
  request.session = session_;
  local_.Acquire(std::move(request), [this, done = OnEngineThread(post_, std::move(done))](
                                         absl::StatusOr<Grant> grant) mutable {
    if (!grant.ok()) return std::move(done)(grant.status());
    SwarmLease lease(local_, *std::move(grant));
    if (std::shared_ptr<const Manifest> manifest = manifests_.Find(lease.object())) {
      return std::move(done)(SealedPieces::Make(std::move(lease), std::move(manifest)));
    }
    work_.Run([this, lease = std::move(lease), done = std::move(done)]() mutable {
      absl::StatusOr<std::shared_ptr<const Manifest>> manifest =
          manifests_.FindOrMake(lease.object());
      if (!manifest.ok()) return std::move(done)(manifest.status());
      std::move(done)(SealedPieces::Make(std::move(lease), *std::move(manifest)));
    });
  });
}

void NodeObjects::Create(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest,
                         StoreDone done) {
  std::shared_ptr<PartialPieces> pieces;
  {
    MutexLock lock(mutex_);
    const auto it = kept_.find(object_id);
    if (it != kept_.end() && it->second.pieces->manifest()->Digest() == manifest->Digest()) {
      pieces = std::move(it->second.pieces);
      kept_.erase(it);
    }
  }
  if (pieces != nullptr) {
    post_([done = std::move(done), pieces = std::move(pieces)]() mutable {
      std::move(done)(std::shared_ptr<PieceStore>(std::move(pieces)));
    });
    return;
  }
  Drop(object_id);
  Own(object_id);
  CreateNew(object_id, std::move(manifest), true, OnEngineThread(post_, std::move(done)));
}

absl::StatusOr<SwarmLease> NodeObjects::BeginCopy(AcquireRequest create) {
  const ObjectId object_id = create.object_id;
  Drop(object_id);
  Own(object_id);
  create.session = session_;
  absl::StatusOr<Grant> grant = blocking::Acquire(local_, create);
  const bool full = !grant.ok() && KindOf(grant.status()) == ErrorKind::kCapacity;
  if (full && DropAll()) grant = blocking::Acquire(local_, std::move(create));
  if (grant.ok()) return SwarmLease(local_, *std::move(grant));
  Forget(object_id);
  return grant.status();
}

void NodeObjects::EndCopy(const ObjectId& object_id) { Forget(object_id); }

void NodeObjects::CreateNew(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest,
                            bool may_drop, StoreDone done) {
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = object_id;
  request.blob_sizes.assign(manifest->blob_sizes.begin(), manifest->blob_sizes.end());
  request.metadata = manifest->metadata;
  request.session = session_;
  request.quiet = true;
  local_.Acquire(std::move(request), [this, object_id, manifest = std::move(manifest), may_drop,
                                      done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    const bool full = !grant.ok() && KindOf(grant.status()) == ErrorKind::kCapacity;
    if (full && may_drop && DropAll()) {
      return CreateNew(object_id, std::move(manifest), false, std::move(done));
    }
    if (!grant.ok()) {
      Forget(object_id);
      return std::move(done)(grant.status());
    }
    Started(std::move(manifest), *std::move(grant), std::move(done));
  });
}

void NodeObjects::Started(std::shared_ptr<const Manifest> manifest, Grant grant, StoreDone done) {
  const ObjectId object_id = grant.object->id();
  absl::StatusOr<std::shared_ptr<PartialPieces>> pieces =
      PartialPieces::Make(SwarmLease(local_, std::move(grant)), std::move(manifest));
  if (!pieces.ok()) {
    Forget(object_id);
    return std::move(done)(pieces.status());
  }
  std::move(done)(std::shared_ptr<PieceStore>(*std::move(pieces)));
}

void NodeObjects::Seal(std::shared_ptr<PieceStore> store, Done<absl::Status> done) {
  // The engine gives back what Create gave it.
  auto pieces = std::static_pointer_cast<PartialPieces>(std::move(store));
  pieces->CloseForWriting();
  SealRequest request;
  request.lease_id = pieces->lease().lease().id;
  request.session = session_;
  request.expires_at = pieces->manifest()->expires_at;
  local_.Seal(std::move(request), [this, pieces, done = OnEngineThread(post_, std::move(done))](
                                      absl::StatusOr<Sealed> sealed) mutable {
    if (sealed.ok()) {
      manifests_.Put(pieces->lease().object(), pieces->manifest());
      Forget(pieces->object_id());
    }
    std::move(done)(sealed.status());
  });
}

void NodeObjects::Abandon(std::shared_ptr<PieceStore> store) {
  auto pieces = std::static_pointer_cast<PartialPieces>(std::move(store));
  const ObjectId object_id = pieces->object_id();
  if (pieces->pieces_held() == 0 || pieces->pieces_held() == pieces->manifest()->pieces()) {
    Forget(object_id);
    pieces->lease().Release();
    return;
  }
  MutexLock lock(mutex_);
  kept_[object_id] = {std::move(pieces), clock_.Now() + keep_};
}

void NodeObjects::Discard(const ObjectId& object_id, Done<absl::Status> done) {
  Drop(object_id);
  AcquireRequest request;
  request.access = Access::kWrite;
  request.object_id = object_id;
  request.session = session_;
  local_.Acquire(std::move(request), [this, done = OnEngineThread(post_, std::move(done))](
                                         absl::StatusOr<Grant> grant) mutable {
    if (!grant.ok()) return std::move(done)(grant.status());
    LeaseRequest discard;
    discard.lease_id = grant->lease.id;
    discard.session = session_;
    // A discard that fails leaves the lease.
    SwarmLease lease(local_, *std::move(grant));
    local_.Discard(std::move(discard),
                   [lease = std::move(lease), done = std::move(done)](absl::Status status) mutable {
                     lease.Release();
                     std::move(done)(std::move(status));
                   });
  });
}

bool NodeObjects::Owns(const ObjectId& object_id) const {
  MutexLock lock(mutex_);
  return owned_.contains(object_id);
}

bool NodeObjects::Drop(const ObjectId& object_id) {
  std::shared_ptr<PartialPieces> pieces;
  {
    MutexLock lock(mutex_);
    const auto it = kept_.find(object_id);
    if (it == kept_.end()) return false;
    pieces = std::move(it->second.pieces);
    kept_.erase(it);
    owned_.erase(object_id);
  }
  // Also where some channel still shares it: the id and the room are free from now on.
  pieces->lease().Release();
  return true;
}

bool NodeObjects::DropAll() {
  std::vector<ObjectId> ids;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, kept] : kept_) ids.push_back(id);
  }
  bool dropped = false;
  for (const ObjectId& id : ids) dropped |= Drop(id);
  return dropped;
}

void NodeObjects::DropOld() {
  std::vector<ObjectId> ids;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, kept] : kept_) {
      if (kept.until <= clock_.Now()) ids.push_back(id);
    }
  }
  for (const ObjectId& id : ids) Drop(id);
}

void NodeObjects::Own(const ObjectId& object_id) {
  MutexLock lock(mutex_);
  owned_.insert(object_id);
}

void NodeObjects::Forget(const ObjectId& object_id) {
  MutexLock lock(mutex_);
  owned_.erase(object_id);
}

}  // namespace packice
