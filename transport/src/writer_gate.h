// Who writes or seals under a lease just now: a blob has one writer at a time (blob.h), while a
// lease with a TTL may be used over any number of connections. Owned by a server; thread-safe.
#pragma once

#include <set>
#include <utility>

#include "packice/core/lease_id.h"
#include "packice/core/mutex.h"

namespace packice {

class WriterGate {
 public:
  // The right to write, until it goes. False when another has it.
  class Pass {
   public:
    Pass() = default;
    Pass(WriterGate* gate, const LeaseId& lease) : gate_(gate), lease_(lease) {}
    Pass(Pass&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), lease_(other.lease_) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(gate_, other.gate_);
      std::swap(lease_, other.lease_);
      return *this;
    }
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave(lease_);
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    WriterGate* gate_ = nullptr;
    LeaseId lease_;
  };

  Pass Enter(const LeaseId& lease) {
    MutexLock lock(mutex_);
    return inside_.insert(lease).second ? Pass(this, lease) : Pass();
  }

 private:
  void Leave(const LeaseId& lease) {
    MutexLock lock(mutex_);
    inside_.erase(lease);
  }

  Mutex mutex_;
  std::set<LeaseId> inside_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
