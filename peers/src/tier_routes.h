// Which tier a lease is from, and what must be known of it besides. READ leases from hot are not
// here: whatever is not, is hot's.
//
// Owned by a tiered peer. Thread-safe. A route outlives its lease until somebody ends the one or
// looks for what is over; the tier's own answer counts.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/types/optional.h"
#include "packice/core/lease.h"
#include "packice/core/mutex.h"
#include "packice/core/object.h"

namespace packice {

enum class Tier : uint8_t { kHot, kCold };

struct TierRoute {
  Tier tier = Tier::kHot;
  Lease lease;
  std::shared_ptr<Object> object;
  bool sealed = false;   // a CREATE lease that was sealed here
  bool has_end = false;  // and whose object has a TTL
  bool unknown = false;  // and whose id cold could not be asked for
};

class TierRoutes {
 public:
  void Insert(TierRoute route);
  absl::optional<TierRoute> Find(const LeaseId& id) const;
  // Nothing happens when there is none.
  void Erase(const LeaseId& id);
  void MarkSealed(const LeaseId& id);
  void Extend(const LeaseId& id, absl::Duration ttl, Instant deadline);
  void EraseSession(SessionId session);
  void EraseExpired(Instant now);

  // Whether somebody may be about to take the object away.
  bool HasWriter(const ObjectId& id) const;

 private:
  static constexpr size_t kStripes = 16;

  struct alignas(64) Stripe {
    mutable Mutex mutex;
    absl::flat_hash_map<LeaseId, TierRoute> routes ABSL_GUARDED_BY(mutex);
    std::atomic<size_t> size{0};  // for Find, where there is none
  };

  Stripe& StripeOf(const LeaseId& id) { return stripes_[id.low_bits() % kStripes]; }
  const Stripe& StripeOf(const LeaseId& id) const { return stripes_[id.low_bits() % kStripes]; }
  template <typename Condition>
  void EraseIf(Condition condition);
  void Forget(const TierRoute& route);

  std::array<Stripe, kStripes> stripes_;

  mutable Mutex writers_mutex_;
  absl::flat_hash_map<ObjectId, size_t> writers_ ABSL_GUARDED_BY(writers_mutex_);
};

}  // namespace packice
