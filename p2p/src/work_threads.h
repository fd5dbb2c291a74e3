// A few threads for what blocks: to read an object in order to hash it, to copy from an origin.
// Thread-safe. The destructor waits for tasks that run and drops the others.
#pragma once

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "packice/core/mutex.h"

namespace packice {

class WorkThreads {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  explicit WorkThreads(size_t threads);
  ~WorkThreads();

  // Runs it later; tasks begin in order. After Stop it is dropped.
  void Run(Task task);

  // No task begins any more; blocks until none runs.
  void Stop();
  // For tasks that take long: they end early.
  bool stopping() const { return stopping_; }

 private:
  void Work();

  Mutex mutex_;
  CondVar changed_;
  std::atomic<bool> stopping_{false};  // set under the mutex
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace packice
