// TrackerTable: what is held, how it is put in and taken out.
#include <algorithm>
#include <limits>

#include "tracker_table.h"

namespace packice {
namespace {

// Of ContentHolder::expires: fine enough for caches, and good for 13 years.
constexpr absl::Duration kUnit = absl::Milliseconds(100);

}  // namespace

bool TrackerTable::Expiry::operator<(const Expiry& other) const {
  if (expires != other.expires) return expires < other.expires;
  if (node != other.node) return node < other.node;
  return content != other.content && content->key() < other.content->key();
}

uint32_t TrackerTable::Scale(Instant now) const {
  const int64_t units = absl::ToInt64Milliseconds(now) / absl::ToInt64Milliseconds(kUnit) + 1;
  return static_cast<uint32_t>(
      std::min<int64_t>(std::max<int64_t>(units, 1), std::numeric_limits<uint32_t>::max()));
}

bool TrackerTable::IsLive(const ContentHolder& holder, Instant now) const {
  return holder.generation >= nodes_[holder.node].floor &&
         (holder.expires == 0 || holder.expires > Scale(now));
}

bool TrackerTable::IsFull(Slot slot) const {
  return holdings_ >= options_.max_holdings ||
         nodes_[slot].contents.size() >= options_.max_holdings_of_node;
}

bool TrackerTable::Hold(Slot slot, const tracker::v1::Holding& told, Instant now) {
  const ContentKey key{told.object_id(), told.digest(), told.size(), told.pieces()};
  TrackerNode& node = nodes_[slot];
  auto found = contents_.find(key);
  ContentHolder* holder = found == contents_.end() ? nullptr : (*found)->Find(slot);
  if (holder == nullptr) {
    if (IsFull(slot)) {
      // Its former content, if any, is no longer what the node has, and makes the room.
      LetGo(slot, told.object_id());
      if (IsFull(slot)) return false;
      found = contents_.find(key);
    }
    if (found == contents_.end())
      found = contents_.insert(TrackerContent::Make(key).release()).first;
    holder = &(*found)->Insert(slot);
    holder->position = static_cast<uint32_t>(node.contents.size());
    node.contents.push_back(*found);
    ++holdings_;
    // Nobody has all pieces of it yet as far as the counts go, so that they are settled below.
    holder->pieces_held = told.pieces() == 0 ? 1 : 0;
  }
  TrackerContent* const content = *found;
  content->SealedAt(told.sealed_at_ms());
  const bool was_complete = holder->pieces_held == content->pieces();
  holder->pieces_held = told.pieces_held();
  holder->generation = node.generation;
  const bool complete = told.pieces_held() == told.pieces();
  uint32_t expires = 0;
  if (told.has_ttl_ms()) {
    // More than a century is for ever, and must not overflow.
    const auto ttl = static_cast<int64_t>(std::min<uint64_t>(told.ttl_ms(), 1ull << 42));
    expires = Scale(now + absl::Milliseconds(ttl));
  }
  SetExpiry(content, *holder, expires);
  if (complete != was_complete) CountComplete(content, complete ? 1 : -1);
  if (!faults_.empty()) faults_.Announced(content, slot);
  if (grants_.live() > 0) {
    complete ? grants_.Free(key.object_id, node.address)
             : grants_.Renew(key.object_id, node.address, now);
  }
  LetGoOfOthers(slot, content);
  return true;
}

void TrackerTable::LetGo(Slot slot, absl::string_view object_id) {
  ContentKey key;
  key.object_id = object_id;
  for (auto at = contents_.lower_bound(key); at != contents_.end(); ++at) {
    if ((*at)->object_id() != object_id) return;
    if ((*at)->Find(slot) == nullptr) continue;
    Remove(*at, slot);  // and it holds no other content under the id
    return;
  }
}

void TrackerTable::LetGoOfOthers(Slot slot, const TrackerContent* kept) {
  ContentKey key;
  key.object_id = kept->object_id();
  for (auto at = contents_.lower_bound(key); at != contents_.end(); ++at) {
    if ((*at)->object_id() != kept->object_id()) return;
    if (*at == kept || (*at)->Find(slot) == nullptr) continue;
    Remove(*at, slot);
    return;
  }
}

void TrackerTable::Remove(TrackerContent* content, Slot slot) {
  TrackerNode& node = nodes_[slot];
  ContentHolder* const holder = content->Find(slot);
  const uint32_t hole = holder->position;
  const bool complete = holder->pieces_held == content->pieces();
  SetExpiry(content, *holder, 0);
  content->Erase(slot);
  --holdings_;

  TrackerContent* const last = node.contents.back();
  node.contents.pop_back();
  if (last != content) {
    node.contents[hole] = last;
    last->Find(slot)->position = hole;
  }
  node.unswept = std::min(node.unswept, node.contents.size());

  if (!faults_.empty()) faults_.Forget(content, slot);
  if (complete) CountComplete(content, -1);
  if (!content->holders().empty()) return;
  contents_.erase(content);
  TrackerContent::Delete()(content);
}

void TrackerTable::SetExpiry(TrackerContent* content, ContentHolder& holder, uint32_t expires) {
  if (holder.expires == expires) return;
  if (holder.expires != 0) expiries_.erase({holder.expires, holder.node, content});
  holder.expires = expires;
  if (expires != 0) expiries_.insert({expires, holder.node, content});
}

void TrackerTable::CountComplete(TrackerContent* content, int change) {
  const bool before = keep_changes_ && HeldWhole(content->object_id());
  content->CountComplete(change);
  if (!keep_changes_) return;
  const bool held = HeldWhole(content->object_id());
  if (held != before) changes_.push_back({std::string(content->object_id()), held});
}

bool TrackerTable::HeldWhole(absl::string_view object_id) const {
  ContentKey key;
  key.object_id = object_id;
  for (auto at = contents_.lower_bound(key); at != contents_.end(); ++at) {
    if ((*at)->object_id() != object_id) return false;
    if ((*at)->complete() > 0) return true;
  }
  return false;
}

void TrackerTable::RemoveExpired(Instant now, size_t& steps) {
  const uint32_t reached = Scale(now);
  for (; steps > 0 && !expiries_.empty() && expiries_.begin()->expires <= reached; --steps) {
    const Expiry due = *expiries_.begin();
    Remove(due.content, due.node);
  }
}

}  // namespace packice
