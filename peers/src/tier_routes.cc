#include "tier_routes.h"

#include <utility>
#include <vector>

namespace packice {

void TierRoutes::Insert(TierRoute route) {
  if (route.lease.access == Access::kWrite) {
    MutexLock lock(writers_mutex_);
    ++writers_[route.lease.object_id];
  }
  Stripe& stripe = StripeOf(route.lease.id);
  MutexLock lock(stripe.mutex);
  const LeaseId id = route.lease.id;
  stripe.routes.insert_or_assign(id, std::move(route));
  stripe.size.store(stripe.routes.size());
}

absl::optional<TierRoute> TierRoutes::Find(const LeaseId& id) const {
  const Stripe& stripe = StripeOf(id);
  if (stripe.size.load() == 0) return absl::nullopt;
  MutexLock lock(stripe.mutex);
  const auto it = stripe.routes.find(id);
  if (it == stripe.routes.end()) return absl::nullopt;
  return it->second;
}

void TierRoutes::Forget(const TierRoute& route) {
  if (route.lease.access != Access::kWrite) return;
  MutexLock lock(writers_mutex_);
  const auto it = writers_.find(route.lease.object_id);
  if (--it->second == 0) writers_.erase(it);
}

void TierRoutes::Erase(const LeaseId& id) {
  Stripe& stripe = StripeOf(id);
  absl::optional<TierRoute> erased;  // its object may be the last of its bytes
  {
    MutexLock lock(stripe.mutex);
    const auto it = stripe.routes.find(id);
    if (it == stripe.routes.end()) return;
    erased = std::move(it->second);
    stripe.routes.erase(it);
    stripe.size.store(stripe.routes.size());
  }
  Forget(*erased);
}

void TierRoutes::MarkSealed(const LeaseId& id) {
  Stripe& stripe = StripeOf(id);
  MutexLock lock(stripe.mutex);
  const auto it = stripe.routes.find(id);
  if (it != stripe.routes.end()) it->second.sealed = true;
}

void TierRoutes::Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) {
  Stripe& stripe = StripeOf(id);
  MutexLock lock(stripe.mutex);
  const auto it = stripe.routes.find(id);
  if (it == stripe.routes.end()) return;
  it->second.lease.ttl = ttl;
  it->second.lease.deadline = deadline;
  it->second.lease.session = SessionId::kNone;
}

template <typename Condition>
void TierRoutes::EraseIf(Condition condition) {
  std::vector<TierRoute> erased;
  for (Stripe& stripe : stripes_) {
    if (stripe.size.load() == 0) continue;
    MutexLock lock(stripe.mutex);
    for (auto it = stripe.routes.begin(); it != stripe.routes.end();) {
      const auto next = std::next(it);
      if (condition(it->second.lease)) {
        erased.push_back(std::move(it->second));
        stripe.routes.erase(it);
      }
      it = next;
    }
    stripe.size.store(stripe.routes.size());
  }
  for (const TierRoute& route : erased) Forget(route);
}

void TierRoutes::EraseSession(SessionId session) {
  EraseIf([session](const Lease& lease) { return lease.session == session; });
}

void TierRoutes::EraseExpired(Instant now) {
  EraseIf([now](const Lease& lease) { return lease.deadline <= now; });
}

bool TierRoutes::HasWriter(const ObjectId& id) const {
  MutexLock lock(writers_mutex_);
  return writers_.contains(id);
}

}  // namespace packice
