// Clients that put, read, move and discard objects as fast as the node lets them, until it is gone,
// and note in a ledger what they ask for and what is answered.
//
// Owned by a round of a crash test. The threads end by themselves once the node is gone.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/types/optional.h"
#include "crash_node.h"
#include "ledger.h"
#include "packice/core/mutex.h"

namespace packice {

class Writers {
 public:
  struct Options {
    int count = 4;
    // As many objects does each keep, at most; what is over that it discards.
    size_t objects = 25;
    // The kinds of error that a client may be told besides those of its own doing.
    std::vector<std::string> faults;
    // After such an error a change may have happened or not.
    bool faults_are_open = false;
    // An object is safe only once the node says that its cold tier has it.
    bool until_cold = false;
    // The node may evict what nobody holds.
    bool evictions = false;
  };

  // Connects them, while nothing goes wrong yet. Both must outlive this.
  Writers(const CrashNode& node, Ledger& ledger, Options options, uint64_t seed);
  // Waits for them.
  ~Writers();
  void Join();
  void Start();
  // After what they are doing now.
  void Stop() { stop_ = true; }

  // Whether all have seen that the node is gone.
  bool Ended() const { return running_ == 0; }

  // Answers that no client should have been given, a line each.
  std::vector<std::string> Complaints() const;

 private:
  class Writer;

  const Options options_;
  std::atomic<bool> stop_{false};
  std::atomic<int> running_{0};
  mutable Mutex mutex_;
  std::vector<std::string> complaints_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<std::thread> threads_;
};

}  // namespace packice
