// Leases in memory, for one node.
//
// Owned by one peer. Thread-safe; nothing blocks but short locks, one for each of many stripes, so
// that threads with leases of their own seldom meet. What a lease does not need it does not pay
// for: only exclusive leases are looked up by object, only those with a TTL read the clock and
// enter an order of deadlines, only those with a session enter its list.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/lease.h"
#include "packice/core/lease_table.h"

namespace packice {

class ClaimStripe;
class LeaseStripe;

class MemoryLeaseTable final : public LeaseTable {
 public:
  // `clock` tells which leases are over; it outlives the table.
  explicit MemoryLeaseTable(const Clock& clock);
  ~MemoryLeaseTable() override;

  // Beyond what LeaseTable says: `invalid_argument` for an id that is in the table already.
  absl::Status Insert(const Lease& lease) override;
  absl::StatusOr<Lease> Find(const LeaseId& id) const override;
  // Of a lease other than kCreate: changes nothing.
  absl::Status Share(const LeaseId& id) override;
  // A finite TTL takes the lease out of its session, for no lease has both.
  absl::Status Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) override;
  absl::optional<Lease> Remove(const LeaseId& id) override;
  // In no order.
  std::vector<Lease> RemoveExpired(Instant now, size_t max) override;
  std::vector<Lease> RemoveSession(SessionId session) override;
  // To the nanosecond, rounded up. Takes no lock.
  Instant NextDeadline() const override;
  LeaseCounts Counts() const override;
  void ForEach(absl::FunctionRef<void(const Lease&)> visit) const override;

 private:
  LeaseStripe& StripeOf(const LeaseId& id) const;
  ClaimStripe& ClaimsOf(const ObjectId& object_id) const;
  absl::Status InsertExclusive(const Lease& lease);
  // Once the lease is taken out, or shared.
  void EndClaim(const Lease& lease);

  const Clock& clock_;
  const std::unique_ptr<LeaseStripe[]> stripes_;
  const std::unique_ptr<ClaimStripe[]> claims_;
};

}  // namespace packice
