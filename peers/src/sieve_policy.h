// SIEVE (Zhang et al., NSDI 2024).
//
// One queue, and a hand that goes over it from the old end to the young one and starts anew: it
// clears the mark of what was read since it came by, and takes what was not, where it stands. A hit
// is a mark in the entry, without a lock.
#pragma once

#include "queued_policy.h"

namespace packice {

class SievePolicy final : public QueuedPolicy {
 public:
  using QueuedPolicy::QueuedPolicy;

  void Hit(EvictionEntry& entry) override;

 private:
  void Enqueue(EvictionEntry& entry, bool expected) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutBack(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dequeue(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EvictionEntry* Next() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const EvictionEntry* Coldest() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  EvictionQueue queue_ ABSL_GUARDED_BY(mutex_);
  // What it looks at next; null: the oldest.
  EvictionEntry* hand_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace packice
