// Leases: each is its tier's, and goes to it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tier_engine.h"

namespace packice {

void TieredPeer::Engine::Cancel(OperationId operation) {
  std::vector<RoomWaiter> cancelled;
  {
    MutexLock lock(mutex_);
    for (auto it = room_waiters_.begin(); it != room_waiters_.end();) {
      if (it->request.operation != operation) {
        ++it;
        continue;
      }
      cancelled.push_back(std::move(*it));
      it = room_waiters_.erase(it);
    }
  }
  for (RoomWaiter& waiter : cancelled) {
    std::move(waiter.done)(MakeError(ErrorKind::kTimeout, "the wait for room was cancelled"));
  }
  hot_->Cancel(operation);
  cold_->Cancel(operation);
}

void TieredPeer::Engine::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  absl::optional<TierRoute> route = routes_.Find(request.lease_id);
  if (!route.has_value() || route->tier == Tier::kHot) {
    return hot_->Lookup(std::move(request), std::move(done));
  }
  const Lease& lease = route->lease;
  if (lease.session != SessionId::kNone && lease.session != request.session) {
    return std::move(done)(
        MakeError(ErrorKind::kPermissionDenied, "the lease belongs to another connection"));
  }
  if (lease.deadline <= clock_.Now()) {
    return std::move(done)(MakeError(ErrorKind::kLeaseExpired, "the lease is unknown or over"));
  }
  std::move(done)(Grant{lease, std::move(route->object)});
}

void TieredPeer::Engine::Release(LeaseRequest request, Done<absl::Status> done) {
  absl::optional<TierRoute> route = routes_.Find(request.lease_id);
  if (!route.has_value()) return hot_->Release(std::move(request), std::move(done));
  const LeaseId id = request.lease_id;
  const bool cold = route->tier == Tier::kCold;
  Peer& tier = cold ? *cold_ : *hot_;
  route.reset();
  tier.Release(std::move(request),
               [this, id, cold, done = std::move(done)](absl::Status status) mutable {
                 // With a tier that is out of reach its leases end by themselves.
                 if (cold && IsOutOfReach(status)) {
                   health_.Answered(status);
                   status = absl::OkStatus();
                 }
                 if (status.ok()) routes_.Erase(id);
                 if (done) std::move(done)(std::move(status));
               });
}

void TieredPeer::Engine::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  absl::optional<TierRoute> route = routes_.Find(request.lease_id);
  if (!route.has_value()) return hot_->Renew(std::move(request), std::move(done));
  const LeaseId id = request.lease_id;
  Peer& tier = route->tier == Tier::kCold ? *cold_ : *hot_;
  tier.Renew(std::move(request),
             [this, id, done = std::move(done)](absl::StatusOr<absl::Duration> ttl) mutable {
               if (ttl.ok()) routes_.Extend(id, *ttl, clock_.Now() + *ttl);
               std::move(done)(std::move(ttl));
             });
}

void TieredPeer::Engine::EndSession(SessionId session) {
  std::vector<RoomWaiter> ended;
  {
    MutexLock lock(mutex_);
    for (auto it = room_waiters_.begin(); it != room_waiters_.end();) {
      if (it->request.session != session) {
        ++it;
        continue;
      }
      ended.push_back(std::move(*it));
      it = room_waiters_.erase(it);
    }
  }
  for (RoomWaiter& waiter : ended) {
    std::move(waiter.done)(MakeError(ErrorKind::kUnavailable, "the session ended"));
  }
  hot_->EndSession(session);
  cold_->EndSession(session);
  routes_.EraseSession(session);
}

}  // namespace packice
