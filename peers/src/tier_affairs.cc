#include "tier_affairs.h"

#include <utility>

namespace packice {

bool TierAffairs::TryBegin(const ObjectId& id, Kind kind) {
  MutexLock lock(mutex_);
  const bool begun = affairs_.try_emplace(id, Affair{kind, {}, {}}).second;
  if (begun && kind == Kind::kPromotion) promotions_.fetch_add(1);
  return begun;
}

void TierAffairs::BeginChange(const ObjectId& id, Task change) {
  {
    MutexLock lock(mutex_);
    const auto [it, begun] = affairs_.try_emplace(id, Affair{Kind::kChange, {}, {}});
    if (!begun) {
      it->second.changes.push_back(std::move(change));
      return;
    }
  }
  std::move(change)();
}

void TierAffairs::AfterPromotion(const ObjectId& id, Task task) {
  {
    MutexLock lock(mutex_);
    const auto it = affairs_.find(id);
    if (it != affairs_.end() && it->second.kind == Kind::kPromotion) {
      it->second.after.push_back(std::move(task));
      return;
    }
  }
  std::move(task)();
}

void TierAffairs::End(const ObjectId& id) {
  std::vector<Task> tasks;
  {
    MutexLock lock(mutex_);
    const auto it = affairs_.find(id);
    Affair& affair = it->second;
    if (affair.kind == Kind::kPromotion) promotions_.fetch_sub(1);
    tasks = std::move(affair.after);
    if (affair.changes.empty()) {
      affairs_.erase(it);
    } else {
      tasks.push_back(std::move(affair.changes.front()));
      affair.changes.pop_front();
      affair.after.clear();
      affair.kind = Kind::kChange;
    }
  }
  for (Task& task : tasks) std::move(task)();
}

bool TierAffairs::ShouldGiveUp(const ObjectId& id) const {
  MutexLock lock(mutex_);
  const auto it = affairs_.find(id);
  return it != affairs_.end() && !it->second.changes.empty();
}

bool TierAffairs::IsPromoting(const ObjectId& id) const {
  if (promotions_.load() == 0) return false;
  MutexLock lock(mutex_);
  const auto it = affairs_.find(id);
  return it != affairs_.end() && it->second.kind == Kind::kPromotion;
}

}  // namespace packice
