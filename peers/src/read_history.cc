#include "read_history.h"

#include "absl/hash/hash.h"

namespace packice {

bool ReadHistory::Read(const ObjectId& id, Instant now) {
  if (hits_ == 0) return false;
  if (hits_ == 1) return true;
  const uint64_t fingerprint = absl::Hash<absl::string_view>()(id.bytes());
  MutexLock lock(mutex_);
  const auto [it, is_new] = counts_.try_emplace(fingerprint, Count{now, 0});
  Count& count = it->second;
  if (!is_new && now - count.since > window_) count = Count{now, 0};
  if (count.reads == 0) order_.emplace_back(fingerprint, now);
  if (++count.reads >= hits_) {
    counts_.erase(it);
    return true;
  }
  while (!order_.empty() && (order_.size() > kMost || now - order_.front().second > window_)) {
    const auto oldest = counts_.find(order_.front().first);
    if (oldest != counts_.end() && oldest->second.since == order_.front().second) {
      counts_.erase(oldest);
    }
    order_.pop_front();
  }
  return false;
}

}  // namespace packice
