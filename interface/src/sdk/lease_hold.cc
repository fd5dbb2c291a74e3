#include "sdk/lease_hold.h"

#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "sdk/fork_generation.h"

namespace packice::sdk {

LeaseHold::LeaseHold(std::shared_ptr<Connection> connection, const LeaseId& id)
    : connection_(std::move(connection)), id_(id), generation_(ForkGeneration()) {}

LeaseHold::LeaseHold(LeaseHold&& other) noexcept
    : connection_(other.connection_),
      id_(other.id_),
      generation_(other.generation_),
      live_(std::exchange(other.live_, false)) {}

absl::StatusOr<LeaseId> LeaseHold::Use() const {
  if (absl::Status status = connection_->Check(); !status.ok()) return status;
  if (generation_ != ForkGeneration()) {
    return MakeError(ErrorKind::kPermissionDenied,
                     "the lease belongs to the process that forked this one; acquire it anew");
  }
  if (!live_) return MakeError(ErrorKind::kLeaseExpired, "the lease was released before");
  return id_;
}

void LeaseHold::Release() {
  if (!live_) return;
  const absl::StatusOr<LeaseId> id = Use();
  live_ = false;
  if (!id.ok()) return;
  connection_->peer().Release(LeaseRequest{.lease_id = *id}, nullptr);
}

absl::Status LeaseHold::Renew(absl::Duration ttl) {
  const absl::StatusOr<LeaseId> id = Use();
  if (!id.ok()) return id.status();
  return blocking::Renew(connection_->peer(), RenewRequest{.lease_id = *id, .ttl = ttl}).status();
}

absl::StatusOr<Quota::Share> TakeDescriptor(Connection& connection) {
  if (!connection.is_remote()) return Quota::Share();
  return connection.descriptors().Take(1);
}

absl::StatusOr<Granted> Accept(const std::shared_ptr<Connection>& connection,
                               Quota::Share descriptors,
                               const std::shared_ptr<const NodeConnection>& asked_by,
                               absl::StatusOr<Grant> grant) {
  if (!grant.ok()) return grant.status();
  if (connection->index() != nullptr) connection->index()->Granted();
  Granted granted{LeaseHold(connection, grant->lease.id), std::move(grant->object),
                  std::move(descriptors)};
  granted.lasts = grant->lease.ttl == absl::InfiniteDuration();
  if (granted.lasts && asked_by != nullptr && asked_by == connection->node_connection()) {
    granted.granted_by = asked_by;
  }
  const size_t blobs = granted.object->blobs().size();
  if (connection->is_remote() && blobs > 1) {
    granted.descriptors = Quota::Share();
    absl::StatusOr<Quota::Share> all = connection->descriptors().Take(blobs);
    if (!all.ok()) return all.status();
    granted.descriptors = *std::move(all);
  }
  return granted;
}

absl::StatusOr<Granted> Acquire(const std::shared_ptr<Connection>& connection,
                                AcquireRequest request) {
  if (absl::Status status = connection->Check(); !status.ok()) return status;
  absl::StatusOr<Quota::Share> descriptor = TakeDescriptor(*connection);
  if (!descriptor.ok()) return descriptor.status();
  const auto asked_by = connection->node_connection();
  return Accept(connection, *std::move(descriptor), asked_by,
                blocking::Acquire(connection->peer(), std::move(request)));
}

}  // namespace packice::sdk
