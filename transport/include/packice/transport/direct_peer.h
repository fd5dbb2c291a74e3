// The direct transport: a peer in the same process, seen by one client.
//
// Shares the peer. Acts in a session of its own, so that leases without a TTL end with this object,
// as they would with a connection. No message, no copy, no thread. Thread-safe as the peer is.
#pragma once

#include <memory>

#include "packice/core/peer.h"

namespace packice {

class DirectPeer final : public Peer {
 public:
  explicit DirectPeer(std::shared_ptr<Peer> peer);
  ~DirectPeer() override;

  // A request without a session gets this client's.
  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;

  void Cancel(OperationId operation) override { peer_->Cancel(operation); }
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override {
    peer_->Stat(object_id, std::move(done));
  }
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override {
    peer_->List(std::move(request), std::move(done));
  }
  void Stats(Done<absl::StatusOr<PeerStats>> done) override { peer_->Stats(std::move(done)); }
  void EndSession(SessionId session) override { peer_->EndSession(session); }
  void Gather(absl::FunctionRef<void()> calls) override { peer_->Gather(calls); }
  void Await(absl::FunctionRef<void()> calls, Latch& done) override { peer_->Await(calls, done); }

 private:
  const std::shared_ptr<Peer> peer_;
  const SessionId session_;
};

}  // namespace packice
