// A few threads for what may block, so that no event loop does. Owned by a server; thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "packice/core/mutex.h"

namespace packice {

class BlockingPool {
 public:
  using Job = absl::AnyInvocable<void() &&>;

  explicit BlockingPool(size_t threads);
  // Runs what was given, then ends.
  ~BlockingPool();

  // Runs the job on one of the threads, first come first served.
  void Run(Job job);

 private:
  void Work();

  Mutex mutex_;
  CondVar changed_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace packice
