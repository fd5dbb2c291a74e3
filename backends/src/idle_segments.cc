#include "idle_segments.h"

namespace packice {

uint64_t IdleSegments::reserved_bytes() const {
  uint64_t sum = 0;
  for (const auto& [place, idle] : segments_) sum += idle.segment->reserved();
  return sum;
}

void IdleSegments::Add(std::unique_ptr<Segment> segment, Instant now) {
  bytes_ += segment->size();
  by_size_.insert({segment->size(), next_});
  segments_.emplace(next_++, Idle{std::move(segment), now});
}

std::unique_ptr<Segment> IdleSegments::Take(uint64_t least, uint64_t most) {
  const auto fits = by_size_.lower_bound({least, 0});
  if (fits == by_size_.end() || fits->first > most) return nullptr;
  return Take(segments_.find(fits->second));
}

std::unique_ptr<Segment> IdleSegments::TakeLongestIdle() { return Take(segments_.begin()); }

std::unique_ptr<Segment> IdleSegments::Take(std::map<uint64_t, Idle>::iterator place) {
  std::unique_ptr<Segment> segment = std::move(place->second.segment);
  by_size_.erase({segment->size(), place->first});
  segments_.erase(place);
  bytes_ -= segment->size();
  return segment;
}

}  // namespace packice
