// What is being done across tiers, at most one thing to an object at a time: a demotion, a
// promotion, or something that somebody asked for (a change), which has the right of way.
//
// Owned by a tiered peer. Thread-safe; runs tasks without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"

namespace packice {

class TierAffairs {
 public:
  enum class Kind { kDemotion, kPromotion, kChange };
  using Task = absl::AnyInvocable<void() &&>;

  // Begins a move. False when something else is being done to the object.
  bool TryBegin(const ObjectId& id, Kind kind);

  // Runs `change` as soon as nothing else is being done to the object, on this thread or on that
  // which ends the other affair; a move under way is told to give up. The change calls End.
  void BeginChange(const ObjectId& id, Task change);

  // Runs `task` when the promotion under way has ended, at once if there is none.
  void AfterPromotion(const ObjectId& id, Task task);

  // The affair that was begun is over.
  void End(const ObjectId& id);

  // Whether a change waits for this move to end.
  bool ShouldGiveUp(const ObjectId& id) const;
  // Cheap where no object is being promoted.
  bool IsPromoting(const ObjectId& id) const;

 private:
  struct Affair {
    Kind kind;
    std::deque<Task> changes;  // that wait
    std::vector<Task> after;
  };

  mutable Mutex mutex_;
  absl::flat_hash_map<ObjectId, Affair> affairs_ ABSL_GUARDED_BY(mutex_);
  std::atomic<size_t> promotions_{0};
};

}  // namespace packice
