#include "update_queue.h"

#include <iterator>
#include <utility>
#include <vector>

namespace packice {
namespace {

// No item is smaller.
constexpr size_t kSmallestItem = 8;

}  // namespace

void UpdateQueue::Put(MemberUpdate update, Lane lane) {
  const uint64_t member = update.statement->address_hash();
  const auto queued = by_member_.find(member);
  if (queued != by_member_.end()) Drop(items_.find(queued->second));
  const Key key(lane, 0, next_age_--);
  by_member_[member] = key;
  const size_t bytes = WireBytes(update);
  items_[key] = Item{std::move(update), "", bytes};
}

void UpdateQueue::Put(std::string broadcast) {
  if (broadcasts_ == kMaxBroadcasts) Drop(std::prev(items_.end()));
  const size_t bytes = WireBytes(broadcast);
  items_[Key(Lane::kUser, 0, next_age_--)] = Item{MemberUpdate(), std::move(broadcast), bytes};
  ++broadcasts_;
}

void UpdateQueue::Fill(MembershipMessage& message, size_t bytes, uint32_t limit) {
  std::vector<std::map<Key, Item>::iterator> told;
  for (auto item = items_.begin(); item != items_.end() && bytes >= kSmallestItem; ++item) {
    if (item->second.bytes > bytes) continue;
    bytes -= item->second.bytes;
    told.push_back(item);
  }
  for (const auto& item : told) {
    const auto [lane, times, age] = item->first;
    if (lane == Lane::kUser) {
      message.broadcasts.push_back(item->second.broadcast);
    } else {
      message.updates.push_back(item->second.update);
    }
    if (times + 1 >= limit) {
      Drop(item);
      continue;
    }
    auto node = items_.extract(item);
    node.key() = Key(lane, times + 1, age);
    if (lane != Lane::kUser) {
      by_member_[node.mapped().update.statement->address_hash()] = node.key();
    }
    items_.insert(std::move(node));
  }
}

bool UpdateQueue::Holds(const MemberStatement& member) const {
  return by_member_.contains(member.address_hash());
}

void UpdateQueue::Drop(std::map<Key, Item>::iterator item) {
  if (std::get<Lane>(item->first) == Lane::kUser) {
    --broadcasts_;
  } else {
    by_member_.erase(item->second.update.statement->address_hash());
  }
  items_.erase(item);
}

}  // namespace packice
