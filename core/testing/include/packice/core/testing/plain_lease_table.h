// A lease table to be checked by reading it: one mutex, one map, every question a walk through all
// leases. The model that faster tables are compared with. Thread-safe.
#pragma once

#include <map>
#include <vector>

#include "packice/core/clock.h"
#include "packice/core/lease_table.h"
#include "packice/core/mutex.h"

namespace packice {

class PlainLeaseTable final : public LeaseTable {
 public:
  // `clock` outlives the table.
  explicit PlainLeaseTable(const Clock& clock) : clock_(clock) {}

  absl::Status Insert(const Lease& lease) override;
  absl::StatusOr<Lease> Find(const LeaseId& id) const override;
  absl::Status Share(const LeaseId& id) override;
  absl::Status Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) override;
  absl::optional<Lease> Remove(const LeaseId& id) override;
  std::vector<Lease> RemoveExpired(Instant now, size_t max) override;
  std::vector<Lease> RemoveSession(SessionId session) override;
  Instant NextDeadline() const override;
  LeaseCounts Counts() const override;
  void ForEach(absl::FunctionRef<void(const Lease&)> visit) const override;

 private:
  struct Entry {
    Lease lease;
    bool exclusive;
  };

  bool IsLive(const Lease& lease) const { return clock_.Now() < lease.deadline; }
  // Null when there is no such live lease.
  const Entry* FindLive(const LeaseId& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry* FindLive(const LeaseId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<LeaseId, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
