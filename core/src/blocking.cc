#include "packice/core/blocking.h"

namespace packice::blocking {

absl::StatusOr<Grant> Acquire(Peer& peer, AcquireRequest request) {
  return Await<absl::StatusOr<Grant>>(
      peer, [&](auto done) { peer.Acquire(std::move(request), std::move(done)); });
}

absl::StatusOr<Sealed> Put(Peer& peer, PutRequest request) {
  return Await<absl::StatusOr<Sealed>>(
      peer, [&](auto done) { peer.Put(std::move(request), std::move(done)); });
}

absl::StatusOr<Grant> Lookup(Peer& peer, LeaseRequest request) {
  return Await<absl::StatusOr<Grant>>(
      peer, [&](auto done) { peer.Lookup(std::move(request), std::move(done)); });
}

absl::StatusOr<Sealed> Seal(Peer& peer, SealRequest request) {
  return Await<absl::StatusOr<Sealed>>(
      peer, [&](auto done) { peer.Seal(std::move(request), std::move(done)); });
}

absl::Status Discard(Peer& peer, LeaseRequest request) {
  return Await<absl::Status>(peer,
                             [&](auto done) { peer.Discard(std::move(request), std::move(done)); });
}

absl::Status Release(Peer& peer, LeaseRequest request) {
  return Await<absl::Status>(peer,
                             [&](auto done) { peer.Release(std::move(request), std::move(done)); });
}

absl::Status Relocate(Peer& peer, RelocateRequest request) {
  return Await<absl::Status>(
      peer, [&](auto done) { peer.Relocate(std::move(request), std::move(done)); });
}

absl::StatusOr<absl::Duration> Renew(Peer& peer, RenewRequest request) {
  return Await<absl::StatusOr<absl::Duration>>(
      peer, [&](auto done) { peer.Renew(std::move(request), std::move(done)); });
}

absl::StatusOr<ObjectInfo> Stat(Peer& peer, const ObjectId& object_id) {
  return Await<absl::StatusOr<ObjectInfo>>(
      peer, [&](auto done) { peer.Stat(object_id, std::move(done)); });
}

absl::StatusOr<ListPage> List(Peer& peer, ListRequest request) {
  return Await<absl::StatusOr<ListPage>>(
      peer, [&](auto done) { peer.List(std::move(request), std::move(done)); });
}

absl::StatusOr<PeerStats> Stats(Peer& peer) {
  return Await<absl::StatusOr<PeerStats>>(peer, [&](auto done) { peer.Stats(std::move(done)); });
}

}  // namespace packice::blocking
