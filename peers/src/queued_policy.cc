#include "queued_policy.h"

#include <algorithm>

namespace packice {
namespace {

constexpr uint8_t kPinned = 1;
constexpr uint8_t kOff = 2;  // taken off its queue by Evict

constexpr uint8_t kExpected = 4;

// Entries that ColdestAge looks at.
constexpr int kLookAt = 64;

// Takes the entry, which is in a queue, for what it is by now. Whether it is a victim: otherwise it
// is pinned, and Unpin will find it taken off.
bool Claim(EvictionEntry& entry) {
  uint8_t state = entry.state.load(std::memory_order_relaxed);
  // Acquires what was done to the entry before it was unpinned.
  while (!entry.state.compare_exchange_weak(state, state | kOff, std::memory_order_acq_rel)) {
  }
  return (state & kPinned) == 0;
}

}  // namespace

void EvictionQueue::AddOlderThan(EvictionEntry& place, EvictionEntry& entry) {
  entry.younger = &place;
  entry.older = place.older;
  entry.older->younger = &entry;
  place.older = &entry;
  ++entries_;
  bytes_ += entry.charged;
}

void EvictionQueue::Remove(EvictionEntry& entry) {
  entry.older->younger = entry.younger;
  entry.younger->older = entry.older;
  entry.older = entry.younger = nullptr;
  --entries_;
  bytes_ -= entry.charged;
}

void QueuedPolicy::Touch(EvictionEntry& entry) const {
  entry.used_at.store(absl::ToInt64Nanoseconds(clock_.Now()), std::memory_order_relaxed);
}

void QueuedPolicy::Insert(EvictionEntry& entry) {
  Touch(entry);
  entry.uses.store(0, std::memory_order_relaxed);
  const bool expected = entry.state.exchange(0, std::memory_order_relaxed) == kExpected;
  MutexLock lock(mutex_);
  Enqueue(entry, expected);
}

void QueuedPolicy::MarkExpected(EvictionEntry& entry) {
  entry.state.store(kExpected, std::memory_order_relaxed);
}

void QueuedPolicy::Pin(EvictionEntry& entry) {
  const uint8_t state = entry.state.fetch_or(kPinned, std::memory_order_acq_rel);
  // Evict has just chosen it, and may still be reading what the peer may change from now on.
  if ((state & kOff) != 0) MutexLock lock(mutex_);
}

void QueuedPolicy::Unpin(EvictionEntry& entry) {
  uint8_t state = kPinned;
  if (entry.state.compare_exchange_strong(state, 0, std::memory_order_acq_rel)) return;
  MutexLock lock(mutex_);
  if ((entry.state.exchange(0, std::memory_order_acq_rel) & kOff) != 0) PutBack(entry);
}

bool QueuedPolicy::Unpark(EvictionEntry& entry) {
  if (entry.state.load(std::memory_order_relaxed) != (kPinned | kOff)) return false;
  entry.state.store(kPinned, std::memory_order_release);
  return true;
}

void QueuedPolicy::Remove(EvictionEntry& entry) {
  MutexLock lock(mutex_);
  if (entry.younger != nullptr) Dequeue(entry);
}

absl::optional<Victim> QueuedPolicy::Evict() {
  MutexLock lock(mutex_);
  while (EvictionEntry* const entry = Next()) {
    const bool goes = Claim(*entry);
    Dequeue(*entry);
    if (goes) {
      Evicted(*entry);
      return Victim{entry->id, entry->incarnation};
    }
    skips_.fetch_add(1, std::memory_order_relaxed);
  }
  return absl::nullopt;
}

absl::optional<absl::Duration> QueuedPolicy::ColdestAge() const {
  const Instant now = clock_.Now();
  MutexLock lock(mutex_);
  const EvictionEntry* const entry = Coldest();
  if (entry == nullptr) return absl::nullopt;
  return std::max(absl::ZeroDuration(),
                  now - absl::Nanoseconds(entry->used_at.load(std::memory_order_relaxed)));
}

const EvictionEntry* QueuedPolicy::FirstToGo(const EvictionQueue& queue, const EvictionEntry* from,
                                             uint32_t spared) {
  const EvictionEntry* entry = from;
  for (int i = 0; entry != nullptr && i < kLookAt; ++i) {
    if ((entry->state.load(std::memory_order_relaxed) & kPinned) == 0 &&
        entry->uses.load(std::memory_order_relaxed) < spared) {
      return entry;
    }
    entry = queue.YoungerThan(*entry);
  }
  return from;
}

}  // namespace packice
