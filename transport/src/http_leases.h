// What the client's side of HTTP knows of its leases: whose they are, and which it keeps alive.
//
// Thread-safe. Knows leases without a TTL only: those with one belong to whoever has the id.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/identity.h"
#include "packice/core/lease_id.h"
#include "packice/core/mutex.h"

namespace packice {

class HttpLeases {
 public:
  // Each lease is due again `period` after it was renewed, and sooner after a failure.
  HttpLeases(absl::Duration period, absl::Duration retry) : period_(period), retry_(retry) {}

  void Track(const LeaseId& id, SessionId session, Instant now);
  void Forget(const LeaseId& id);
  // `permission_denied` when another session has it.
  absl::Status CheckSession(const LeaseId& id, SessionId session) const;
  std::vector<LeaseId> LeasesOf(SessionId session) const;
  std::vector<LeaseId> All() const;

  // From here on until Resume nobody renews the lease: its holder gives it a TTL of his own.
  void Suspend(const LeaseId& id);
  void Resume(const LeaseId& id);

  // Those to be renewed now. Each is not due again before what comes of it is told: Renewed, or
  // Forget, or NotRenewed.
  std::vector<LeaseId> TakeDue(Instant now);
  void Renewed(const LeaseId& id, Instant when);
  void NotRenewed(const LeaseId& id, Instant when);

 private:
  struct Kept {
    SessionId session;
    Instant due;
    bool suspended = false;
  };

  void SetDue(const LeaseId& id, Instant due);

  const absl::Duration period_;
  const absl::Duration retry_;
  mutable Mutex mutex_;
  absl::flat_hash_map<LeaseId, Kept> leases_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
