// Where peers tell what happens, for watching. No operation depends on an event's delivery.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/core/identity.h"
#include "packice/core/object_id.h"

namespace packice {

enum class EventKind {
  kCreated,       // a CREATE lease was granted
  kSealed,        // the object is readable
  kDiscarded,     // by a holder of a CREATE or WRITE lease
  kAbandoned,     // its creator released it, or went away, before Seal
  kEvicted,       // to make room
  kExpired,       // its own TTL was over
  kRelocated,     // it has another id from now on; told under the new one
  kQuarantined,   // its bytes were found damaged and set aside
  kLeaseExpired,  // a lease's TTL was over
  kRead,          // a READ lease was granted; told only where somebody wants to know (WantsReads)
  // Of tiers:
  kDemoted,        // the colder tier has it sealed; the hotter copy may go from now on
  kPromoted,       // the hotter tier has a copy again
  kTierDegraded,   // the tier fails, is full, slow or out of reach; `detail` says which
  kTierRecovered,  // it works again
  // Of a swarm; `detail` names the other node:
  kPeerJoined,
  kPeerLeft,         // it said so, or it is dead
  kPeerSuspected,    // it does not answer; it may still say that it lives
  kDownloadStarted,  // the object is copied from other nodes
  kDownloadFinished,
  kDownloadFailed,
  kHolderBanned,  // it sent wrong bytes of the object
};
inline constexpr EventKind kLastEventKind = EventKind::kHolderBanned;

absl::string_view EventKindName(EventKind kind);  // "created", "lease_expired", ...
absl::optional<EventKind> EventKindFromName(absl::string_view name);

// Valid during the call of Publish only.
struct Event {
  EventKind kind;
  OperationId operation;      // what caused it; kNone for what time caused
  const ObjectId& object_id;  // empty for what is told of a whole tier or node
  uint64_t size = 0;          // bytes of the object
  // Which tier of a node it happened in: "hot", "cold"; empty in a node without tiers.
  absl::string_view tier = {};
  absl::string_view detail = {};  // for people
};

// Implementations are thread-safe, return at once, and do not call back into the peer: Publish runs
// under the object's lock, so that the events of one object come in order.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Publish(const Event& event) = 0;

  // Whether somebody wants kRead, which costs on every read. May change at any time.
  virtual bool WantsReads() const { return false; }

  // Drops everything. Lives for ever.
  static EventSink& Null();
};

}  // namespace packice
