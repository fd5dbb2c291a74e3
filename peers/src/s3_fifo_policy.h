// S3-FIFO (Yang et al., SOSP 2023), with sizes in bytes. docs/eviction.md says what was chosen
// where the paper leaves it open.
//
// A new object starts in the small queue. At that queue's old end it moves to the main one if it
// was read often enough, and otherwise goes, leaving a ghost; an object that comes back while its
// ghost is remembered starts in the main queue. At the main queue's old end whatever was read since
// goes round once more for each time, at most three. A hit is a count in the entry, without a lock.
#pragma once

#include "ghost_list.h"
#include "packice/peers/eviction_spec.h"
#include "queued_policy.h"

namespace packice {

class S3FifoPolicy final : public QueuedPolicy {
 public:
  S3FifoPolicy(const EvictionSpec& spec, absl::optional<uint64_t> capacity, const Clock& clock);

  void Expect(EvictionEntry& entry) override;
  void Hit(EvictionEntry& entry) override;

 private:
  enum Queue : uint16_t { kSmall, kMain };

  void Enqueue(EvictionEntry& entry, bool expected) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutBack(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dequeue(EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EvictionEntry* Next() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Evicted(const EvictionEntry& entry) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const EvictionEntry* Coldest() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  EvictionQueue& QueueOf(const EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return entry.queue == kSmall ? small_ : main_;
  }
  void ChooseQueue(EvictionEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PrefetchNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t Whole() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it is the main queue's turn to give something up.
  bool MainIsNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EvictionSpec spec_;
  const absl::optional<uint64_t> capacity_;
  EvictionQueue small_ ABSL_GUARDED_BY(mutex_);
  EvictionQueue main_ ABSL_GUARDED_BY(mutex_);
  GhostList ghosts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
