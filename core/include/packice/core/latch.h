// A latch: set once, waited for by one or more threads. Owned by the waiter, typically on its
// stack.
//
// Thread-safe. A waiter may destroy the latch as soon as Wait has returned or IsSet was true.
#pragma once

#include "packice/core/mutex.h"

namespace packice {

class Latch {
 public:
  Latch() = default;
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  void Set() {
    MutexLock lock(mutex_);
    set_ = true;
    // Under the lock: once it is free, a waiter may have destroyed this latch.
    changed_.NotifyAll();
  }

  bool IsSet() const {
    MutexLock lock(mutex_);
    return set_;
  }

  // Blocks until Set was called.
  void Wait() {
    MutexLock lock(mutex_);
    while (!set_) changed_.Wait(mutex_);
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace packice
