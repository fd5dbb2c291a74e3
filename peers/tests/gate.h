// A place in a fake medium where a test can stop whoever comes by. Thread-safe.
#pragma once

#include "packice/core/mutex.h"

namespace packice {

class Gate {
 public:
  // Stops whoever comes by, until Open.
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  void Open() {
    MutexLock lock(mutex_);
    closed_ = false;
    changed_.NotifyAll();
  }

  void Pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.NotifyAll();
    while (closed_) changed_.Wait(mutex_);
    --waiting_;
  }

  // Until so many stand before the closed gate.
  void Await(int count = 1) {
    MutexLock lock(mutex_);
    while (waiting_ < count) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace packice
