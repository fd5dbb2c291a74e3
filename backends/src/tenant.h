// A memory blob's bytes, and where they live at present: in a memfd of their own, or in a pack.
//
// Shared by the blob that reads them and the packer that moves them. Thread-safe; a reader pays for
// a lock that is held for no longer than a pointer's copy.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>

#include "packice/core/blob.h"
#include "packice/core/mutex.h"

namespace packice {

struct Pack;
class Tenant;
using Tenants = std::list<std::shared_ptr<Tenant>>;

class Tenant {
 public:
  explicit Tenant(std::shared_ptr<Blob> home) : home_(std::move(home)) {}

  // Good for as long as it is held, even if the bytes move meanwhile.
  std::shared_ptr<Blob> home() const {
    MutexLock lock(mutex_);
    return home_;
  }

  // `home` holds the same bytes. Returns the old one, which is to be dropped outside of any lock.
  std::shared_ptr<Blob> MoveTo(std::shared_ptr<Blob> home) {
    MutexLock lock(mutex_);
    return std::exchange(home_, std::move(home));
  }

  // The packer's record, under the packer's lock.
  enum class State {
    kOwn,     // in a memfd of its own, where it stays: unsealed or too large
    kQueued,  // in a memfd of its own, and may be packed
    kMoving,  // being copied into a pack
    kPacked,
    kGone,  // its blob was destroyed
  };
  struct Record {
    State state = State::kOwn;
    Pack* pack = nullptr;  // where it lives, while it moves too; null for a memfd of its own
    Tenants::iterator at;  // its place in the queue or in `pack->tenants`
    uint64_t room = 0;     // what it takes up in a pack, in bytes
  };
  Record record;

 private:
  mutable Mutex mutex_;
  std::shared_ptr<Blob> home_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
