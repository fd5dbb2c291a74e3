#include "origin_grants.h"

#include <algorithm>

namespace packice {
namespace {

// Reading an object from an origin takes seconds, and who waits should learn of the first copy, or
// the first piece of it, soon.
constexpr absl::Duration kAskAgain = absl::Milliseconds(500);

}  // namespace

OriginGrants::Answer OriginGrants::Ask(absl::string_view object_id, absl::string_view address,
                                       Instant now) {
  DropLapsed(now);
  Instant first_end = now + lasts_;
  const auto found = objects_.find(object_id);
  size_t granted = 0;
  if (found != objects_.end()) {
    granted = found->second.size();
    for (const Grant& grant : found->second) {
      if (!address.empty() && grant.address == address) return {true, grant.until - now};
      first_end = std::min(first_end, grant.until);
    }
  }
  if (granted >= for_each_ || live_ >= kMaxLive || due_.size() >= 2 * kMaxLive) {
    return {false, std::max(std::min(kAskAgain, first_end - now), absl::Milliseconds(1))};
  }
  objects_[object_id].push_back({std::string(address), now + lasts_});
  due_.emplace(now + lasts_, object_id);
  ++live_;
  return {true, lasts_};
}

template <typename Ended>
void OriginGrants::TakeOut(absl::string_view object_id, size_t max, Ended ended) {
  const auto found = objects_.find(object_id);
  if (found == objects_.end()) return;
  Grants& grants = found->second;
  for (auto grant = grants.begin(); grant != grants.end() && max > 0;) {
    if (!ended(*grant)) {
      ++grant;
      continue;
    }
    grant = grants.erase(grant);
    --live_;
    --max;
  }
  if (grants.empty()) objects_.erase(found);
}

void OriginGrants::Free(absl::string_view object_id, absl::string_view address) {
  TakeOut(object_id, 1, [&](const Grant& grant) { return grant.address == address; });
}

void OriginGrants::Renew(absl::string_view object_id, absl::string_view address, Instant now) {
  const auto found = objects_.find(object_id);
  if (found == objects_.end() || address.empty()) return;
  for (Grant& grant : found->second) {
    if (grant.address == address) grant.until = now + lasts_;
  }
}

void OriginGrants::DropLapsed(Instant now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string object_id = due_.begin()->second;
    due_.erase(due_.begin());
    TakeOut(object_id, kMaxLive, [&](const Grant& grant) { return grant.until <= now; });
    const auto left = objects_.find(object_id);
    if (left == objects_.end()) continue;
    Instant next = absl::InfiniteDuration();
    for (const Grant& grant : left->second) next = std::min(next, grant.until);
    due_.emplace(next, object_id);
  }
}

}  // namespace packice
