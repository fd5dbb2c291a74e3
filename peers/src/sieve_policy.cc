#include "sieve_policy.h"

namespace packice {

void SievePolicy::Hit(EvictionEntry& entry) {
  Touch(entry);
  entry.uses.store(1, std::memory_order_relaxed);
}

void SievePolicy::Enqueue(EvictionEntry& entry, bool /*expected*/) { queue_.AddYoungest(entry); }

void SievePolicy::PutBack(EvictionEntry& entry) {
  if (hand_ != nullptr) {
    queue_.AddOlderThan(hand_, entry);
  } else {
    queue_.AddOldest(entry);
  }
  hand_ = &entry;
}

void SievePolicy::Dequeue(EvictionEntry& entry) {
  if (&entry == hand_) hand_ = queue_.YoungerThan(entry);
  queue_.Remove(entry);
}

EvictionEntry* SievePolicy::Next() {
  if (queue_.empty()) return nullptr;
  while (true) {
    if (hand_ == nullptr) hand_ = queue_.Oldest();
    if (hand_->uses.load(std::memory_order_relaxed) == 0) return hand_;
    hand_->uses.store(0, std::memory_order_relaxed);
    hand_ = queue_.YoungerThan(*hand_);
  }
}

const EvictionEntry* SievePolicy::Coldest() const {
  return FirstToGo(queue_, hand_ != nullptr ? hand_ : queue_.Oldest(), /*spared=*/1);
}

}  // namespace packice
