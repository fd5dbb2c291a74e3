// A lease that this client holds, and what it was granted with it.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "packice/core/lease_id.h"
#include "packice/core/object.h"
#include "packice/core/peer.h"
#include "sdk/connection.h"
#include "sdk/quota.h"

namespace packice::sdk {

// Ends its lease when it goes, unless a fork made this the copy of a lease that the parent holds.
// Move-only; thread-compatible.
class LeaseHold {
 public:
  LeaseHold(std::shared_ptr<Connection> connection, const LeaseId& id);
  LeaseHold(LeaseHold&& other) noexcept;
  LeaseHold& operator=(LeaseHold&&) = delete;
  ~LeaseHold() { Release(); }

  Connection& connection() const { return *connection_; }
  const std::shared_ptr<Connection>& shared_connection() const { return connection_; }

  // The lease's id. `permission_denied` in a forked child, `lease_expired` after Release or Forget.
  absl::StatusOr<LeaseId> Use() const;

  // Asks for the lease's end and does not wait for it: nobody can do anything about a failure, and
  // a lease that could not be released ends with its connection or its TTL. Idempotent.
  void Release();

  // The lease is over already.
  void Forget() { live_ = false; }

  absl::Status Renew(absl::Duration ttl);

 private:
  const std::shared_ptr<Connection> connection_;
  const LeaseId id_;
  const uint64_t generation_;
  bool live_ = true;
};

// The outcome of an Acquire.
struct Granted {
  LeaseHold lease;
  std::shared_ptr<Object> object;
  Quota::Share descriptors;
  bool lasts = false;  // without a TTL
  // The connection that it came by, where it is there as long as that is; null: not known, or not
  // so.
  std::shared_ptr<const NodeConnection> granted_by = nullptr;
};

// Blocks. Besides the peer's errors, `capacity` at the client's own bound on descriptors.
absl::StatusOr<Granted> Acquire(const std::shared_ptr<Connection>& connection,
                                AcquireRequest request);

// Makes a Granted of a peer's answer. `descriptors` is a share of one, taken before asking; empty
// where the connection passes none. `asked_by` is what
// Connection::node_connection() was before asking.
absl::StatusOr<Granted> Accept(const std::shared_ptr<Connection>& connection,
                               Quota::Share descriptors,
                               const std::shared_ptr<const NodeConnection>& asked_by,
                               absl::StatusOr<Grant> grant);

// The share to take before asking for one object.
absl::StatusOr<Quota::Share> TakeDescriptor(Connection& connection);

}  // namespace packice::sdk
