// A READ lease that several Readers of a process hold: it lasts until the last of them lets go of
// it, and has a TTL only when none is left that wants it for as long as it lives itself.
//
// Shared by the Readers through a LeaseShare each. Thread-safe. In a forked child nothing of it is
// touched.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "sdk/lease_hold.h"

namespace packice::sdk {

class SharedLease {
 public:
  // `lasts`: it was granted without a TTL.
  SharedLease(LeaseHold lease, bool lasts)
      : lease_(std::move(lease)), lasting_(lasts ? 1 : 0), limited_(lasts ? 0 : 1) {}

 private:
  friend class LeaseShare;

  bool Join();
  absl::Status Renew(bool& lasts, absl::Duration ttl);
  void Leave(bool lasts);

  const Clock& clock_ = Clock::System();
  LeaseHold lease_;  // does not change but when the last share goes
  Mutex mutex_;
  size_t lasting_ ABSL_GUARDED_BY(mutex_);  // Readers that want it for as long as they live
  size_t limited_ ABSL_GUARDED_BY(mutex_);  // those that have renewed it with a TTL
  Instant end_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();  // the latest of those TTLs
};

// A Reader's share of it, given back at its end. Move-only; thread-compatible.
class LeaseShare {
 public:
  // The first one.
  LeaseShare(LeaseHold lease, bool lasts)
      : lease_(std::make_shared<SharedLease>(std::move(lease), lasts)), lasts_(lasts) {}
  // One more. Nothing where the lease is over, another process's, or has a TTL.
  static absl::optional<LeaseShare> Of(std::shared_ptr<SharedLease> lease);
  LeaseShare(LeaseShare&&) = default;
  LeaseShare& operator=(LeaseShare&&) = delete;
  ~LeaseShare() { Release(); }

  // `lease_expired` after Release, `permission_denied` in a forked child, and what renewing fails
  // with. Blocks where the node has to be told.
  absl::Status Renew(absl::Duration ttl);
  // As LeaseHold::Release, once the other shares are gone.
  void Release();

  // Null after Release.
  const std::shared_ptr<SharedLease>& lease() const { return lease_; }

 private:
  explicit LeaseShare(std::shared_ptr<SharedLease> lease)
      : lease_(std::move(lease)), lasts_(true) {}

  std::shared_ptr<SharedLease> lease_;
  bool lasts_;
};

}  // namespace packice::sdk
