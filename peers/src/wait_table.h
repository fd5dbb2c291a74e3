// The acquires that wait: who waits for which object, until when, and on whose behalf.
//
// Thread-safe, one lock: waiting is off the fast path. Takes part in no other lock; callers may hold an
// object's stripe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
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
  void Add(Waiter waiter);

  // False at no cost while nobody waits for anything.
  bool Any() const { return count_.load(std::memory_order_acquire) != 0; }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

  // All of these take the waiters out, those that came first first.
  std::vector<Waiter> TakeObject(const ObjectId& object_id);
  std::vector<Waiter> TakeDue(Instant now);
  std::vector<Waiter> TakeSession(SessionId session);
  std::vector<Waiter> TakeOperation(OperationId operation);
  std::vector<Waiter> TakeAll();

  Instant NextDeadline() const;

 private:
  using Ticket = uint64_t;  // rises with arrival

  Waiter Take(Ticket ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Waiter> Take(const std::vector<Ticket>& tickets) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<uint64_t> count_{0};
  mutable Mutex mutex_;
  Ticket last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Ticket, Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ObjectId, absl::btree_set<Ticket>> by_object_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<Instant, Ticket>> by_deadline_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<SessionId, Ticket>> by_session_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<OperationId, Ticket>> by_operation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
