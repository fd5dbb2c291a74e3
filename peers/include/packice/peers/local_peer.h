// The one engine for the rules of leases, over any medium (a BlobStore) and any record of leases (a
// LeaseTable).
//
// Owns everything it is given but the clock, the randomness and the sink. Thread-safe: objects are
// kept in stripes with a lock each, so that operations on different objects do not wait for one
// another; no lock is held over a medium's system calls or a caller's callback.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/types/optional.h"
#include "packice/core/blob_store.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/lease_table.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"
#include "packice/peers/eviction_policy.h"

namespace packice {

struct LocalPeerOptions {
  // Bytes of all objects, declared or written. Creates evict to stay within it. Nothing: no limit
  // but the medium's own.
  absl::optional<uint64_t> capacity;
  // A thread of the peer's own runs what time makes due. Off: the owner calls RunDue, as tests do.
  bool background_reaper = true;

  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  EventSink* events = &EventSink::Null();
};

class LocalPeer final : public Peer {
 public:
  LocalPeer(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
            std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options);
  ~LocalPeer() override;

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId operation) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

  // Ends the leases, waits and objects whose time is over. Answers when the next one is.
  Instant RunDue();

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace packice
