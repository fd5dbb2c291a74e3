#include "packice/peers/local_peer.h"

#include <utility>

#include "engine.h"

namespace packice {

LocalPeer::LocalPeer(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
                     std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options)
    : engine_(std::make_unique<Engine>(std::move(store), std::move(leases), std::move(policy),
                                       std::move(options))) {}

LocalPeer::~LocalPeer() = default;

void LocalPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  engine_->Acquire(std::move(request), std::move(done));
}

void LocalPeer::Cancel(OperationId operation) { engine_->Cancel(operation); }

void LocalPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  std::move(done)(engine_->Seal(request));
}

void LocalPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  std::move(done)(engine_->Discard(request));
}

void LocalPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  absl::Status status = engine_->Release(request);
  if (done) std::move(done)(std::move(status));
}

void LocalPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  std::move(done)(engine_->Renew(request));
}

void LocalPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  std::move(done)(engine_->Stat(object_id));
}

void LocalPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  std::move(done)(engine_->List(request));
}

void LocalPeer::Stats(Done<absl::StatusOr<PeerStats>> done) { std::move(done)(engine_->Stats()); }

void LocalPeer::EndSession(SessionId session) { engine_->EndSession(session); }

Instant LocalPeer::RunDue() { return engine_->RunDue(); }

}  // namespace packice
