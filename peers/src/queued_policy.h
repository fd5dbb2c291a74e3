// What eviction policies have in common: entries in lists under one lock, and pins without it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/peers/eviction_policy.h"

namespace packice {

// A list of entries from the oldest to the youngest, and their bytes. Owns none of them.
class EvictionQueue {
 public:
  EvictionQueue() { ends_.younger = ends_.older = &ends_; }
  EvictionQueue(const EvictionQueue&) = delete;
  EvictionQueue& operator=(const EvictionQueue&) = delete;

  bool empty() const { return entries_ == 0; }
  size_t entries() const { return entries_; }
  uint64_t bytes() const { return bytes_; }

  // Null where there is none.
  EvictionEntry* Oldest() const { return OrNull(ends_.younger); }
  EvictionEntry* YoungerThan(const EvictionEntry& entry) const { return OrNull(entry.younger); }

  void AddYoungest(EvictionEntry& entry) { AddOlderThan(ends_, entry); }
  void AddOldest(EvictionEntry& entry) { AddOlderThan(*ends_.younger, entry); }
  // Between `place` and the next older one. With a null `place`, as the youngest.
  void AddOlderThan(EvictionEntry* place, EvictionEntry& entry) {
    AddOlderThan(place == nullptr ? ends_ : *place, entry);
  }
  void Remove(EvictionEntry& entry);

 private:
  void AddOlderThan(EvictionEntry& place, EvictionEntry& entry);
  EvictionEntry* OrNull(EvictionEntry* entry) const { return entry == &ends_ ? nullptr : entry; }

  // Circular: the oldest is the next younger of this one, the youngest its next older.
  EvictionEntry ends_;
  size_t entries_ = 0;
  uint64_t bytes_ = 0;
};

// Whether an entry is pinned, and whether it stands in a queue, is one atomic byte of it. Pin sets
// a bit and Unpin clears it; Evict, under the lock, sets the other one in whatever it takes off,
// and only if nothing has changed meanwhile. So an Unpin that finds that bit set knows that it is
// the one to put the entry back, whether Evict had parked it or had chosen it before it was pinned.
class QueuedPolicy : public EvictionPolicy {
 public:
  explicit QueuedPolicy(const Clock& clock) : clock_(clock) {}

  void Insert(EvictionEntry& entry) final;
  void Pin(EvictionEntry& entry) final;
  void Unpin(EvictionEntry& entry) final;
  void Remove(EvictionEntry& entry) final;
  absl::optional<Victim> Evict() final;
  absl::optional<absl::Duration> ColdestAge() const final;
  uint64_t skips() const final { return skips_.load(std::memory_order_relaxed); }

 protected:
  // A new entry takes its place. `expected`: Expect has chosen its queue.
  virtual void Enqueue(EvictionEntry& entry, bool expected)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // One that was taken off does, as the next to go.
  virtual void PutBack(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void Dequeue(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // The entry that is to go next, still in its place; null when there is none. Moves what is
  // spared for its hits.
  virtual EvictionEntry* Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // That entry goes, and is no longer in its place.
  virtual void Evicted(const EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    static_cast<void>(entry);
  }
  // What Next would find, without moving anything.
  virtual const EvictionEntry* Coldest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;

  // The first entry of `queue` from `from` on that is not pinned and has fewer than `spared` uses,
  // among the first few; where all of these are spared, `from`.
  static const EvictionEntry* FirstToGo(const EvictionQueue& queue, const EvictionEntry* from,
                                        uint32_t spared);

  // Brings a parked entry back to the queue while it is pinned: it was hit. False unless parked.
  bool Unpark(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static void MarkExpected(EvictionEntry& entry);

  void Touch(EvictionEntry& entry) const;

  mutable Mutex mutex_;

 private:
  const Clock& clock_;
  std::atomic<uint64_t> skips_{0};
};

}  // namespace packice
