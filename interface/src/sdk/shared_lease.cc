#include "sdk/shared_lease.h"

#include <algorithm>

#include "packice/core/blocking.h"
#include "packice/core/error.h"

namespace packice::sdk {

bool SharedLease::Join() {
  MutexLock lock(mutex_);
  if (lasting_ == 0 || !lease_.Use().ok()) return false;
  ++lasting_;
  return true;
}

absl::Status SharedLease::Renew(bool& lasts, absl::Duration ttl) {
  const absl::StatusOr<LeaseId> id = lease_.Use();
  if (!id.ok()) return id.status();
  if (ttl > absl::ZeroDuration()) {  // of another the node says what is wrong
    MutexLock lock(mutex_);
    const bool others_last = lasting_ > (lasts ? 1 : 0);
    const bool alone = lasting_ + limited_ == 1;
    --(lasts ? lasting_ : limited_);
    lasts = ttl == absl::InfiniteDuration();
    ++(lasts ? lasting_ : limited_);
    if (others_last) {
      if (!lasts) end_ = std::max(end_, clock_.Now() + ttl);
      return absl::OkStatus();
    }
    if (!lasts) {
      end_ = alone ? clock_.Now() + ttl : std::max(end_, clock_.Now() + ttl);
      ttl = end_ - clock_.Now();
    }
  }
  return blocking::Renew(lease_.connection().peer(), RenewRequest{.lease_id = *id, .ttl = ttl})
      .status();
}

void SharedLease::Leave(bool lasts) {
  const absl::StatusOr<LeaseId> id = lease_.Use();
  if (!id.ok()) return;
  MutexLock lock(mutex_);
  --(lasts ? lasting_ : limited_);
  if (lasting_ + limited_ == 0) return lease_.Release();
  if (lasting_ > 0 || !lasts) return;
  // Those that are left were told that it has a TTL.
  const absl::Duration left = std::max(absl::Milliseconds(1), end_ - clock_.Now());
  lease_.connection().peer().Renew(RenewRequest{.lease_id = *id, .ttl = left},
                                   [](const absl::StatusOr<absl::Duration>&) {});
}

absl::optional<LeaseShare> LeaseShare::Of(std::shared_ptr<SharedLease> lease) {
  if (lease == nullptr || !lease->Join()) return absl::nullopt;
  return LeaseShare(std::move(lease));
}

absl::Status LeaseShare::Renew(absl::Duration ttl) {
  if (lease_ != nullptr) return lease_->Renew(lasts_, ttl);
  return MakeError(ErrorKind::kLeaseExpired, "the lease was released before");
}

void LeaseShare::Release() {
  if (lease_ != nullptr) lease_->Leave(lasts_);
  lease_.reset();
}

}  // namespace packice::sdk
