#include "packice/peers/tiered_peer.h"

#include <utility>

#include "medium_threads.h"
#include "packice/backends/discard_log.h"
#include "packice/core/error.h"
#include "tier_engine.h"

namespace packice {

absl::StatusOr<std::unique_ptr<TieredPeer>> TieredPeer::Open(std::unique_ptr<Peer> hot,
                                                             std::unique_ptr<Peer> cold,
                                                             TieredPeerOptions options) {
  if (!(0 <= options.low_water && options.low_water <= options.high_water &&
        options.high_water <= 1)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "water marks are shares of the hot tier's capacity: 0 <= low <= high <= 1");
  }
  if (options.moves == 0) {
    return MakeError(ErrorKind::kInvalidArgument, "at least one object must be able to move");
  }
  absl::StatusOr<std::unique_ptr<DiscardLog>> discards = DiscardLog::Open(options.discard_log);
  if (!discards.ok()) return discards.status();
  std::unique_ptr<Executor> executor = std::move(options.executor);
  // One more: a probe, or a discard, must not wait for long copies.
  if (executor == nullptr) {
    executor = std::make_unique<MediumThreads>("packice-tier", options.moves + 1);
  }
  std::unique_ptr<TieredPeer> peer(
      new TieredPeer(std::make_unique<Engine>(std::move(hot), std::move(cold), std::move(options),
                                              std::move(executor), *std::move(discards))));
  if (absl::Status status = peer->engine_->Start(); !status.ok()) return status;
  return peer;
}

TieredPeer::TieredPeer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
TieredPeer::~TieredPeer() = default;

absl::Status TieredPeer::Flush(absl::Duration patience) { return engine_->Flush(patience); }

void TieredPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  engine_->Acquire(std::move(request), std::move(done));
}
void TieredPeer::Cancel(OperationId operation) { engine_->Cancel(operation); }
void TieredPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  engine_->Lookup(std::move(request), std::move(done));
}
void TieredPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  engine_->Seal(std::move(request), std::move(done));
}
void TieredPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  engine_->Discard(std::move(request), std::move(done));
}
void TieredPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  engine_->Release(std::move(request), std::move(done));
}
void TieredPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  engine_->Relocate(std::move(request), std::move(done));
}
void TieredPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  engine_->Renew(std::move(request), std::move(done));
}
void TieredPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  engine_->Stat(object_id, std::move(done));
}
void TieredPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  engine_->List(std::move(request), std::move(done));
}
void TieredPeer::Stats(Done<absl::StatusOr<PeerStats>> done) { engine_->Stats(std::move(done)); }
void TieredPeer::EndSession(SessionId session) { engine_->EndSession(session); }

Instant TieredPeer::RunDue() { return engine_->RunDue(); }
void TieredPeer::AwaitIdle() { engine_->AwaitIdle(); }

}  // namespace packice
