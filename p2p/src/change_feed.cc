#include "packice/p2p/change_feed.h"

#include <utility>

namespace packice {
namespace {

bool ChangesWhatIsHeld(EventKind kind) {
  switch (kind) {
    case EventKind::kSealed:
    case EventKind::kDiscarded:
    case EventKind::kEvicted:
    case EventKind::kExpired:
    case EventKind::kRelocated:
    case EventKind::kQuarantined:
      return true;
    default:
      return false;
  }
}

}  // namespace

void ChangeFeed::Publish(const Event& event) {
  if (ChangesWhatIsHeld(event.kind) && !event.object_id.empty()) Add(event.object_id);
  next_.Publish(event);
}

void ChangeFeed::Add(const ObjectId& object_id) {
  MutexLock lock(mutex_);
  const bool first = changed_.empty();
  changed_.insert(object_id);
  if (first && ready_) ready_();
}

void ChangeFeed::OnReady(std::function<void()> ready) {
  MutexLock lock(mutex_);
  ready_ = std::move(ready);
  if (ready_ && !changed_.empty()) ready_();
}

std::vector<ObjectId> ChangeFeed::Take() {
  MutexLock lock(mutex_);
  std::vector<ObjectId> ids(changed_.begin(), changed_.end());
  changed_.clear();
  return ids;
}

}  // namespace packice
