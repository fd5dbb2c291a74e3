// A T for each process: a forked child gets a fresh one instead of the copy of its parent's, whose
// locks and threads are as the fork found them.
//
// T has `void Abandon()`, which is called once, in the child, of the parent's copy: that is never
// destroyed. Thread-safe; Get costs two loads.
#pragma once

#include <atomic>
#include <cstdint>

#include "sdk/fork_generation.h"

namespace packice::sdk {

template <typename T>
class PerProcess {
 public:
  PerProcess() : mine_(new Owned) {}
  ~PerProcess() {
    Owned* const owned = mine_.load(std::memory_order_relaxed);
    if (owned->generation == ForkGeneration()) {
      delete owned;
    } else {
      owned->value.Abandon();
    }
  }
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;

  T& Get() {
    Owned* owned = mine_.load(std::memory_order_acquire);
    if (owned->generation == ForkGeneration()) return owned->value;
    auto* const fresh = new Owned;
    if (mine_.compare_exchange_strong(owned, fresh, std::memory_order_acq_rel)) {
      owned->value.Abandon();  // the parent's
      return fresh->value;
    }
    delete fresh;  // another thread of the child was faster
    return owned->value;
  }

 private:
  struct Owned {
    const uint64_t generation = ForkGeneration();
    T value;
  };

  std::atomic<Owned*> mine_;
};

}  // namespace packice::sdk
