// Policies of one list: FIFO and LRU.
#pragma once

#include "queued_policy.h"

namespace packice {

// The oldest goes first.
class FifoPolicy : public QueuedPolicy {
 public:
  using QueuedPolicy::QueuedPolicy;

  void Hit(EvictionEntry& entry) override;

 protected:
  void Enqueue(EvictionEntry& entry, bool expected) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutBack(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dequeue(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EvictionEntry* Next() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const EvictionEntry* Coldest() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  EvictionQueue queue_ ABSL_GUARDED_BY(mutex_);
};

// What was read goes to the young end, so that the one goes first whose use lies back furthest. A
// hit takes the lock.
class LruPolicy final : public FifoPolicy {
 public:
  using FifoPolicy::FifoPolicy;

  void Hit(EvictionEntry& entry) override;
};

}  // namespace packice
