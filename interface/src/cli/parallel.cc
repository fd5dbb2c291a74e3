#include "cli/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "packice/core/mutex.h"

namespace packice::cli {

absl::Status InParallel(size_t count, size_t workers,
                        absl::FunctionRef<absl::Status(size_t)> work) {
  struct {
    std::atomic<size_t> next{0};
    std::atomic<bool> stop{false};
    Mutex mutex;
    absl::Status failure;
  } shared;
  const auto run = [&] {
    while (!shared.stop) {
      const size_t i = shared.next.fetch_add(1);
      if (i >= count) return;
      absl::Status status = work(i);
      if (status.ok()) continue;
      MutexLock lock(shared.mutex);
      if (!shared.stop.exchange(true)) shared.failure = std::move(status);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(workers, count); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
  return shared.failure;
}

}  // namespace packice::cli
