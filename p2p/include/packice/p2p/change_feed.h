// Remembers which objects of a node have changed, for the swarm to look at: the sink that stands
// between the node's peer and everybody else who watches events. Thread-safe.
//
// It only says where to look: what the node holds is what its peer then says. Nothing is lost when
// it is slow to be read, for an id is remembered once however often it changes.
#pragma once

#include <functional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "packice/core/event_sink.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"

namespace packice {

class ChangeFeed final : public EventSink {
 public:
  // Passes every event on to `next`, which outlives it.
  explicit ChangeFeed(EventSink& next) : next_(next) {}

  void Publish(const Event& event) override;
  bool WantsReads() const override { return next_.WantsReads(); }

  // Called, from any thread and under the peer's locks, when there is something to take again.
  void OnReady(std::function<void()> ready);

  // The object may have changed, too.
  void Add(const ObjectId& object_id);

  // What has changed since the last call.
  std::vector<ObjectId> Take();

 private:
  EventSink& next_;
  Mutex mutex_;
  std::function<void()> ready_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<ObjectId> changed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
