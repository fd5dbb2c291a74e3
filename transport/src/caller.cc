// What a connection keeps beyond its leases.
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dispatcher.h"
#include "packice/core/error.h"

namespace packice {

absl::Status Caller::Pin(const LeaseId& lease, std::shared_ptr<Object> object) {
  MutexLock lock(mutex_);
  if (pinned_.size() >= kMaxPinned && !pinned_.contains(lease)) {
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("a connection keeps the bytes of at most ", kMaxPinned,
                                  " leases that are over or have been given a TTL; the lease is "
                                  "as it was"));
  }
  pinned_[lease] = std::move(object);
  any_pinned_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

void Caller::Unpin(const LeaseId& lease) {
  if (!any_pinned_.load(std::memory_order_acquire)) return;
  std::shared_ptr<Object> object;  // goes without the lock
  MutexLock lock(mutex_);
  const auto it = pinned_.find(lease);
  if (it == pinned_.end()) return;
  object = std::move(it->second);
  pinned_.erase(it);
  any_pinned_.store(!pinned_.empty(), std::memory_order_release);
}

void Caller::KeepForEver() {
  using Pinned = decltype(pinned_);
  static Mutex mutex;
  static std::vector<Pinned>& kept = *new std::vector<Pinned>;
  MutexLock lock(mutex);
  MutexLock own_lock(mutex_);
  if (!pinned_.empty()) kept.push_back(std::move(pinned_));
}

}  // namespace packice
