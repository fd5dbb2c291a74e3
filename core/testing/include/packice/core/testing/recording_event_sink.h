// Keeps a copy of every event, for a test to look at. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

#include "packice/core/event_sink.h"
#include "packice/core/mutex.h"

namespace packice {

inline void PrintTo(EventKind kind, std::ostream* os) { *os << EventKindName(kind); }

struct RecordedEvent {
  EventKind kind;
  OperationId operation;
  ObjectId object_id;
  uint64_t size;
};

class RecordingEventSink final : public EventSink {
 public:
  void Publish(const Event& event) override {
    MutexLock lock(mutex_);
    events_.push_back({event.kind, event.operation, event.object_id, event.size});
  }

  // From now on reads are recorded, too.
  void WantReads() { wants_reads_.store(true, std::memory_order_relaxed); }
  bool WantsReads() const override { return wants_reads_.load(std::memory_order_relaxed); }

  std::vector<RecordedEvent> events() const {
    MutexLock lock(mutex_);
    return events_;
  }

  // The kinds of all events on one object, in order.
  std::vector<EventKind> KindsOf(const ObjectId& object_id) const {
    MutexLock lock(mutex_);
    std::vector<EventKind> kinds;
    for (const RecordedEvent& event : events_) {
      if (event.object_id == object_id) kinds.push_back(event.kind);
    }
    return kinds;
  }

  void Clear() {
    MutexLock lock(mutex_);
    events_.clear();
  }

 private:
  std::atomic<bool> wants_reads_{false};
  mutable Mutex mutex_;
  std::vector<RecordedEvent> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
