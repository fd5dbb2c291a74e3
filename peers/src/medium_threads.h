// Threads that block so that callers need not: an Executor over a queue, first in, first out.
//
// Owned by the peer it works for. Thread-safe. Threads start when there is work for them and none
// is idle, and stay until the end.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "packice/core/mutex.h"
#include "packice/peers/executor.h"

namespace packice {

class MediumThreads final : public Executor {
 public:
  // At most `threads`, at least 1, called `name` (up to 12 characters) and a number.
  MediumThreads(std::string name, size_t threads);
  // Runs all that was handed over, and what that hands over, before it returns.
  ~MediumThreads() override;

  void Run(Task task) override;
  void AwaitIdle() override;

  // How many there are by now.
  size_t threads() const;

 private:
  void Work();

  const std::string name_;
  const size_t most_;
  mutable Mutex mutex_;
  CondVar work_;   // there is some, or no more will come
  CondVar quiet_;  // all has run
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
