// The record of all live leases. Decides exclusivity and expiry; what a lease means for an object's
// state is the peer's affair. Owned by one peer, or shared by several nodes (then it lives outside
// of them).
//
// Thread-safe. No call ever returns a lease whose deadline has passed. Calls may block only where
// the table lives outside the process, and then fail with `unavailable` when it cannot be reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/core/lease.h"

namespace packice {

struct LeaseCounts {
  uint64_t read = 0;
  uint64_t create = 0;
  uint64_t write = 0;
};

class LeaseTable {
 public:
  virtual ~LeaseTable() = default;

  // Records a lease. `busy` when it is exclusive (kCreate, kWrite) and another exclusive lease on
  // the same object id lives.
  virtual absl::Status Insert(const Lease& lease) = 0;

  // `lease_expired` when there is no such live lease.
  virtual absl::StatusOr<Lease> Find(const LeaseId& id) const = 0;

  // Ends the exclusivity of a kCreate or kWrite lease, whose object is now sealed or gone.
  // `lease_expired`.
  virtual absl::Status Share(const LeaseId& id) = 0;

  // Sets a new TTL and deadline; the lease no longer belongs to a session. `lease_expired`.
  virtual absl::Status Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) = 0;

  // Takes a lease out. Of several callers exactly one gets it; the others, and those who come after
  // its deadline was reaped, get nothing. Unlike Find, still finds a lease past its deadline until
  // it is reaped.
  virtual absl::optional<Lease> Remove(const LeaseId& id) = 0;

  // Takes out up to `max` leases whose deadline is at or before `now`.
  virtual std::vector<Lease> RemoveExpired(Instant now, size_t max) = 0;

  // Takes out all leases of a session.
  virtual std::vector<Lease> RemoveSession(SessionId session) = 0;

  // The earliest deadline of all, InfiniteDuration when there is none.
  virtual Instant NextDeadline() const = 0;

  virtual LeaseCounts Counts() const = 0;

  // Calls `visit` for each live lease, in no order; those that come or go meanwhile may or may not
  // be among them. `visit` is brief and does not call the table. For people who ask who holds what:
  // it goes through the whole table. A table outside the process may tell only of this node's.
  virtual void ForEach(absl::FunctionRef<void(const Lease&)> visit) const = 0;
};

}  // namespace packice
