// The acquires that wait: who waits for which object, until when, and on whose behalf.
//
// Thread-safe, one lock: waiting is off the fast path. Takes part in no other lock. Waiters of an
// object are added and taken out only under that object's stripe, so that whoever wakes them, and
// whoever ends their waits, never misses one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/optional.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"

namespace packice {

struct Waiter {
  AcquireRequest request;
  Done<absl::StatusOr<Grant>> done;
  Instant deadline;
};

class WaitTable {
 public:
  using Ticket = uint64_t;  // rises with arrival

  // Where to find a waiter.
  struct Place {
    Ticket ticket;
    ObjectId object_id;
  };

  // Requires: the caller holds the stripe of the waiter's object.
  void Add(Waiter waiter);

  // False at no cost while nobody waits for anything.
  bool Any() const { return count_.load(std::memory_order_acquire) != 0; }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

  // Of those who wait for `access` to the object, who came first; null when there is none. Valid
  // while the caller holds the object's stripe, which is required, and until TakeFirst.
  const AcquireRequest* First(const ObjectId& object_id, Access access) const;
  // Requires: there is one.
  Waiter TakeFirst(const ObjectId& object_id, Access access);
  // The same, of those who did not ask to wait (`wait` zero): they wait for what is being done to
  // the object, and for nothing else.
  const AcquireRequest* FirstImpatient(const ObjectId& object_id) const;
  Waiter TakeFirstImpatient(const ObjectId& object_id);

  // In the order of arrival, but for DueBy: that is in the order of deadlines.
  std::vector<Place> DueBy(Instant now) const;
  std::vector<Place> OfSession(SessionId session) const;
  std::vector<Place> OfOperation(OperationId operation) const;
  // Nothing when it was taken meanwhile. Requires: the caller holds the stripe of the object.
  absl::optional<Waiter> Take(Ticket ticket);

  // For the end: nobody else uses the table.
  std::vector<Waiter> TakeAll();

  Instant NextDeadline() const;

 private:
  using Tickets = absl::btree_set<Ticket>;

  // One queue for each Access, and one more.
  static constexpr size_t kImpatient = 3;
  using Queues = std::array<Tickets, 4>;

  Waiter TakeOut(Ticket ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Ticket FirstTicket(const ObjectId& object_id, size_t queue) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const AcquireRequest* First(const ObjectId& object_id, size_t queue) const;
  Waiter TakeFirst(const ObjectId& object_id, size_t queue);
  template <typename Key>
  std::vector<Place> PlacesOf(const absl::btree_set<std::pair<Key, Ticket>>& index, Key key) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<uint64_t> count_{0};
  mutable Mutex mutex_;
  Ticket last_ ABSL_GUARDED_BY(mutex_) = 0;
  // Nodes stay where they are, so that First may point into one.
  std::map<Ticket, Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ObjectId, Queues> by_object_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<Instant, Ticket>> by_deadline_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<SessionId, Ticket>> by_session_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<OperationId, Ticket>> by_operation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
