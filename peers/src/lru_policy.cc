#include "packice/peers/lru_policy.h"

#include <chrono>
#include <limits>

namespace packice {
namespace {

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

// An order, not a time: any scale will do that rises across threads without their sharing a
// counter.
uint64_t NextStamp() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace

LruPolicy::LruPolicy() {
  for (Stripe& stripe : stripes_) {
    MutexLock lock(stripe.mutex);
    stripe.head.next = stripe.head.previous = &stripe.head;
    stripe.oldest.store(kNone, std::memory_order_relaxed);
  }
}

void LruPolicy::Stripe::Append(EvictionEntry& entry) {
  entry.stamp = NextStamp();
  entry.next = &head;
  entry.previous = head.previous;
  entry.previous->next = &entry;
  head.previous = &entry;
  if (head.next == &entry) oldest.store(entry.stamp, std::memory_order_relaxed);
}

void LruPolicy::Stripe::Unlink(EvictionEntry& entry) {
  if (entry.previous == nullptr) return;
  entry.previous->next = entry.next;
  entry.next->previous = entry.previous;
  entry.previous = entry.next = nullptr;
  oldest.store(head.next == &head ? kNone : head.next->stamp, std::memory_order_relaxed);
}

void LruPolicy::Insert(EvictionEntry& entry) { Unpin(entry); }

void LruPolicy::Hit(EvictionEntry& entry) {
  Stripe& stripe = StripeOf(entry);
  MutexLock lock(stripe.mutex);
  if (entry.previous == nullptr) return;
  stripe.Unlink(entry);
  stripe.Append(entry);
}

void LruPolicy::Pin(EvictionEntry& entry) { Remove(entry); }

void LruPolicy::Unpin(EvictionEntry& entry) {
  Stripe& stripe = StripeOf(entry);
  MutexLock lock(stripe.mutex);
  stripe.Unlink(entry);
  stripe.Append(entry);
}

void LruPolicy::Remove(EvictionEntry& entry) {
  Stripe& stripe = StripeOf(entry);
  MutexLock lock(stripe.mutex);
  stripe.Unlink(entry);
}

absl::optional<Victim> LruPolicy::Evict() {
  while (true) {
    Stripe* oldest = nullptr;
    uint64_t stamp = kNone;
    for (Stripe& stripe : stripes_) {
      const uint64_t candidate = stripe.oldest.load(std::memory_order_relaxed);
      if (candidate < stamp) {
        stamp = candidate;
        oldest = &stripe;
      }
    }
    if (oldest == nullptr) return absl::nullopt;
    MutexLock lock(oldest->mutex);
    EvictionEntry& entry = *oldest->head.next;
    if (&entry == &oldest->head) continue;  // taken by another thread meanwhile
    oldest->Unlink(entry);
    return Victim{entry.id, entry.incarnation};
  }
}

}  // namespace packice
