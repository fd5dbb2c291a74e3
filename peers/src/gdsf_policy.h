// GreedyDual-Size-Frequency (Cherkasova 1998), in constant time: an object's rank is how often it
// was read over how large it is, above the rank at which the last victim went, and the least goes
// first.
//
// Objects of about the same worth (uses over size, to an eighth of a power of two) are a class, a
// list of its own. The rank of what comes to a class never falls, so each list is in order by
// itself; which of their heads is least is kept in a tree over all classes, whose number is fixed.
// A hit takes the lock.
#pragma once

#include <array>
#include <cstddef>

#include "queued_policy.h"

namespace packice {

class GdsfPolicy final : public QueuedPolicy {
 public:
  explicit GdsfPolicy(const Clock& clock);

  void Hit(EvictionEntry& entry) override;

 private:
  static constexpr size_t kClasses = 1024;

  // From the frequency and the bytes of an entry.
  static size_t ClassOf(const EvictionEntry& entry);

  void Enqueue(EvictionEntry& entry, bool expected) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutBack(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dequeue(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EvictionEntry* Next() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Evicted(const EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const EvictionEntry* Coldest() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Into its class, with the rank that it has from now on.
  void Rank(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HeadChanged(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The class whose head is least. Requires: one is not empty.
  size_t LeastClass() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::array<EvictionQueue, kClasses> classes_ ABSL_GUARDED_BY(mutex_);
  // Leaf kClasses + i: the rank of the head of class i; node i: the lesser of nodes 2i and 2i + 1.
  std::array<double, 2 * kClasses> least_ ABSL_GUARDED_BY(mutex_);
  double floor_ ABSL_GUARDED_BY(mutex_) = 0;  // the rank of the last victim
};

}  // namespace packice
