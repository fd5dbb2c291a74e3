#include "origin_turns.h"

#include <algorithm>

namespace packice {

absl::Duration OriginTurns::Ask(Instant now, const ObjectId& object_id, size_t rank) {
  if (asked_.size() >= kMaxAsked) ForgetOldest();
  const auto [place, is_new] = asked_.try_emplace(object_id, Asked{now, now, now});
  Asked& asked = place->second;
  if (!is_new && now - asked.last > kGrant) asked = Asked{now, now, now};
  asked.last = now;
  const absl::Duration turn = std::min(kLongestWait, kTurn * static_cast<int64_t>(rank / kAtOnce));
  const Instant from = std::max(asked.first + turn, asked.not_before);
  return std::max(from - now, absl::ZeroDuration());
}

void OriginTurns::Failed(Instant now, const ObjectId& object_id) {
  const auto found = asked_.find(object_id);
  if (found != asked_.end()) found->second.not_before = now + kAfterFailure;
}

void OriginTurns::ForgetOldest() {
  asked_.erase(std::min_element(asked_.begin(), asked_.end(), [](const auto& a, const auto& b) {
    return a.second.last < b.second.last;
  }));
}

}  // namespace packice
