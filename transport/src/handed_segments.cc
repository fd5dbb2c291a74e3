#include "handed_segments.h"

#include <utility>

namespace packice {
namespace {

// A look at every segment costs as much as a grant, and what was given up is no harm to know of.
constexpr uint32_t kLookEvery = 64;

std::vector<GrantReply*> GrantsIn(Reply& reply) {
  std::vector<GrantReply*> grants;
  if (auto* grant = absl::get_if<GrantReply>(&reply)) {
    grants.push_back(grant);
  } else if (auto* batch = absl::get_if<std::unique_ptr<BatchReply>>(&reply)) {
    for (Reply& part : (*batch)->responses) {
      if (auto* granted = absl::get_if<GrantReply>(&part)) grants.push_back(granted);
    }
  }
  return grants;
}

}  // namespace

void HandedSegments::Prepare(Answer& answer) {
  if (answer.descriptors.empty()) return;
  constexpr size_t kKnown = SIZE_MAX;
  std::vector<size_t> places;  // of each descriptor among those that go
  std::vector<FdDescriptor> going;
  bool any = false;
  for (FdDescriptor& descriptor : answer.descriptors) {
    const bool in_segment = descriptor.segment != nullptr;
    any |= in_segment;
    if (in_segment && !IsNew(descriptor.segment)) {
      places.push_back(kKnown);
    } else {
      places.push_back(going.size());
      going.push_back(std::move(descriptor));
    }
  }
  if (!any) {
    answer.descriptors = std::move(going);
    return;
  }
  bool first = true;
  std::vector<bool> told(going.size());  // by the first handle of a segment
  for (GrantReply* grant : GrantsIn(answer.reply)) {
    for (Handle& handle : grant->handles) {
      size_t* const index = DescriptorIndex(handle);
      if (index == nullptr) continue;
      const size_t place = places[*index];
      auto* const segment = absl::get_if<SegmentHandle>(&handle);
      if (segment != nullptr && (place == kKnown || told[place])) {
        segment->index.reset();
      } else {
        *index = place;
        told[place] = true;
      }
    }
    if (std::exchange(first, false)) grant->dropped_segments = TakeDropped();
  }
  answer.descriptors = std::move(going);
}

bool HandedSegments::IsNew(const std::shared_ptr<const SharedSegment>& segment) {
  std::weak_ptr<const SharedSegment>& place = handed_[segment->id];
  if (!place.expired()) return false;
  place = segment;
  return true;
}

std::vector<uint64_t> HandedSegments::TakeDropped() {
  std::vector<uint64_t> dropped;
  if (++grants_ % kLookEvery != 0) return dropped;
  for (auto it = handed_.begin(); it != handed_.end();) {
    const auto at = it++;
    if (!at->second.expired()) continue;
    dropped.push_back(at->first);
    handed_.erase(at);
  }
  return dropped;
}

}  // namespace packice
