// A thread that calls a function when its time has come. Owned by the peer whose deadlines it
// watches; the destructor ends the thread. Thread-safe.
#pragma once

#include <functional>
#include <thread>

#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice {

class Reaper {
 public:
  // `run_due` does what is due and answers when the next thing is. Runs on the reaper's thread.
  Reaper(const Clock& clock, std::function<Instant()> run_due);
  ~Reaper();

  // Something is due at `deadline`: makes sure that the thread is awake by then.
  void Expect(Instant deadline);

 private:
  void Loop();

  const Clock& clock_;
  const std::function<Instant()> run_due_;
  Mutex mutex_;
  CondVar changed_;
  Instant wake_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace packice
