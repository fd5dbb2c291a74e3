// Runs callbacks when their time has come, one after another. Thread-safe. The destructor drops
// those whose time has not.
#pragma once

#include <cstdint>
#include <map>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice {

class TimerThread {
 public:
  explicit TimerThread(const Clock& clock);
  ~TimerThread();

  using Timer = std::pair<Instant, uint64_t>;

  // The callback must be brief. After Stop it is dropped.
  Timer RunAt(Instant when, absl::AnyInvocable<void() &&> callback);
  // Drops it, unless its time has come.
  void Cancel(const Timer& timer);

  // Looks at the clock again: it may have been moved.
  void Nudge();

  // Blocks until no callback runs.
  void Stop();

 private:
  void Work();

  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Timer, absl::AnyInvocable<void() &&>> due_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace packice
