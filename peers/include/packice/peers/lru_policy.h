// Evicts the object whose use lies back furthest. A lease is use: an object that is leased stands
// in no queue, and goes to the young end when its last lease ends.
//
// The queue is kept in stripes, so that threads that use different objects do not meet; stamps make
// the order exact across them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "packice/core/mutex.h"
#include "packice/peers/eviction_policy.h"

namespace packice {

class LruPolicy final : public EvictionPolicy {
 public:
  LruPolicy();

  void Insert(EvictionEntry& entry) override;
  void Hit(EvictionEntry& entry) override;
  void Pin(EvictionEntry& entry) override;
  void Unpin(EvictionEntry& entry) override;
  void Remove(EvictionEntry& entry) override;
  absl::optional<Victim> Evict() override;

 private:
  static constexpr size_t kStripes = 64;

  struct alignas(64) Stripe {
    Mutex mutex;
    // Circular: head.next is the oldest, head.previous the youngest.
    EvictionEntry head ABSL_GUARDED_BY(mutex);
    // The oldest entry's stamp, for choosing a stripe without its lock.
    std::atomic<uint64_t> oldest;

    void Append(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    void Unlink(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  };

  Stripe& StripeOf(const EvictionEntry& entry) { return stripes_[entry.incarnation % kStripes]; }

  std::array<Stripe, kStripes> stripes_;
};

}  // namespace packice
