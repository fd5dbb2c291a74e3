#include "packice/transport/direct_peer.h"

#include <utility>

namespace packice {
namespace {

template <typename Request>
Request In(SessionId session, Request request) {
  if (request.session == SessionId::kNone) request.session = session;
  return request;
}

}  // namespace

DirectPeer::DirectPeer(std::shared_ptr<Peer> peer)
    : peer_(std::move(peer)), session_(NewSessionId()) {}

DirectPeer::~DirectPeer() { peer_->EndSession(session_); }

void DirectPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  peer_->Acquire(In(session_, std::move(request)), std::move(done));
}

void DirectPeer::Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) {
  peer_->Put(In(session_, std::move(request)), std::move(done));
}

void DirectPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  peer_->Seal(In(session_, std::move(request)), std::move(done));
}

void DirectPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  peer_->Discard(In(session_, request), std::move(done));
}

void DirectPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  peer_->Release(In(session_, request), std::move(done));
}

void DirectPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  peer_->Lookup(In(session_, request), std::move(done));
}

void DirectPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  peer_->Relocate(In(session_, std::move(request)), std::move(done));
}

void DirectPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  peer_->Renew(In(session_, request), std::move(done));
}

}  // namespace packice
