#include "packice/peers/local_peer.h"

#include <utility>

#include "engine.h"

namespace packice {

LocalPeer::LocalPeer(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
                     std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options,
                     std::unique_ptr<Archive> archive, std::unique_ptr<Executor> executor)
    : engine_(std::make_unique<Engine>(std::move(store), std::move(leases), std::move(policy),
                                       std::move(options), std::move(archive),
                                       std::move(executor))) {}

LocalPeer::~LocalPeer() = default;

absl::Status LocalPeer::Recover() { return engine_->Recover(); }

void LocalPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  engine_->Acquire(std::move(request), std::move(done));
}

void LocalPeer::Cancel(OperationId operation) { engine_->Cancel(operation); }

void LocalPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  std::move(done)(engine_->Lookup(request));
}

void LocalPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  engine_->Seal(std::move(request), std::move(done));
}

void LocalPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  engine_->Discard(std::move(request), std::move(done));
}

void LocalPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  absl::Status status = engine_->Release(request);
  if (done) std::move(done)(std::move(status));
}

void LocalPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  engine_->Relocate(std::move(request), std::move(done));
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

void LocalPeer::CountReads(absl::Span<const ObjectId> objects, uint64_t reads, uint64_t bytes) {
  engine_->CountReads(objects, reads, bytes);
}

Instant LocalPeer::RunDue() { return engine_->RunDue(); }

void LocalPeer::CheckObjects(const absl::flat_hash_set<uint64_t>& serials) {
  engine_->CheckObjects(serials);
}

void LocalPeer::AwaitIdle() { engine_->AwaitIdle(); }

}  // namespace packice
