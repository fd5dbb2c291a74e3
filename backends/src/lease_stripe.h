// A part of a lease table: the leases whose ids fall to it, under one lock.
//
// Owned by a MemoryLeaseTable. Thread-safe. Alone on its cache lines, so that threads which use
// different stripes do not disturb each other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/lease.h"
#include "packice/core/lease_table.h"
#include "packice/core/mutex.h"

namespace packice {

class alignas(64) LeaseStripe {
 public:
  // False when there is one of that id.
  bool Add(const Lease& lease, bool exclusive);

  // The lease, if it is there and its deadline has not passed.
  absl::optional<Lease> FindLive(const LeaseId& id, const Clock& clock) const;
  bool IsLiveAndExclusive(const LeaseId& id, const Clock& clock) const;

  // Of a live lease; the other two as LeaseTable has them. Nothing, or false, where there is none.
  absl::optional<Lease> Share(const LeaseId& id, const Clock& clock);
  bool Extend(const LeaseId& id, absl::Duration ttl, Instant deadline, const Clock& clock);

  absl::optional<Lease> Take(const LeaseId& id);
  // Adds to `taken`, until that holds `max`.
  void TakeExpired(Instant now, size_t max, std::vector<Lease>& taken);
  void TakeSession(SessionId session, std::vector<Lease>& taken);

  // The earliest deadline, to the nanosecond, rounded up: a timer set to it finds the deadline
  // passed. Takes no lock.
  Instant next_deadline() const;

  void AddCounts(LeaseCounts& sum) const;
  void ForEachLive(absl::FunctionRef<void(const Lease&)> visit, const Clock& clock) const;

 private:
  static constexpr int64_t kNever = INT64_MAX;

  struct Entry {
    Lease lease;
    bool exclusive;     // a kCreate lease until Share, a kWrite lease for life
    size_t member = 0;  // which of its session's leases in this stripe
  };
  using Entries = absl::flat_hash_map<LeaseId, Entry>;

  const Entry* Live(const LeaseId& id, const Clock& clock) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Lease TakeOut(Entries::iterator at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Join(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Part(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Schedule(const Lease& lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unschedule(const Lease& lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t& Count(Access access) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  // The first of `deadlines_` in nanoseconds; written with the lock.
  std::atomic<int64_t> next_{kNever};
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  LeaseCounts counts_ ABSL_GUARDED_BY(mutex_);
  // Only leases with a session, or with a TTL, are in these. A session seldom has many leases in
  // one stripe.
  absl::flat_hash_map<SessionId, absl::InlinedVector<LeaseId, 2>> sessions_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<Instant, LeaseId>> deadlines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
