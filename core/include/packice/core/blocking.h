// The blocking forms of Peer's calls, for callers with a thread to spare. Each blocks until the
// answer is there; errors are those of the call it wraps. Thread-safe. Never to be used on a
// transport's event loop.
#pragma once

#include <utility>

#include "absl/types/optional.h"
#include "packice/core/peer.h"

namespace packice::blocking {

// Runs `start(done)`, which must hand `done` to one call of `peer`, and waits for the answer.
template <typename Answer, typename Start>
Answer Await(Peer& peer, Start start) {
  struct Slot {
    Latch latch;
    absl::optional<Answer> answer;
  } slot;
  const auto calls = [&] {
    start(Done<Answer>([&slot](Answer answer) {
      slot.answer.emplace(std::move(answer));
      slot.latch.Set();
    }));
  };
  peer.Await(calls, slot.latch);
  return *std::move(slot.answer);
}

absl::StatusOr<Grant> Acquire(Peer& peer, AcquireRequest request);
absl::StatusOr<Sealed> Put(Peer& peer, PutRequest request);
absl::StatusOr<Grant> Lookup(Peer& peer, LeaseRequest request);
absl::StatusOr<Sealed> Seal(Peer& peer, SealRequest request);
absl::Status Discard(Peer& peer, LeaseRequest request);
absl::Status Release(Peer& peer, LeaseRequest request);
absl::Status Relocate(Peer& peer, RelocateRequest request);
absl::StatusOr<absl::Duration> Renew(Peer& peer, RenewRequest request);
absl::StatusOr<ObjectInfo> Stat(Peer& peer, const ObjectId& object_id);
absl::StatusOr<ListPage> List(Peer& peer, ListRequest request);
absl::StatusOr<PeerStats> Stats(Peer& peer);

}  // namespace packice::blocking
