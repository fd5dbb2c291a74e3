#include "fifo_policies.h"

namespace packice {

void FifoPolicy::Hit(EvictionEntry& entry) { Touch(entry); }

void FifoPolicy::Enqueue(EvictionEntry& entry, bool /*expected*/) { queue_.AddYoungest(entry); }

void FifoPolicy::PutBack(EvictionEntry& entry) { queue_.AddOldest(entry); }

void FifoPolicy::Dequeue(EvictionEntry& entry) { queue_.Remove(entry); }

EvictionEntry* FifoPolicy::Next() { return queue_.Oldest(); }

const EvictionEntry* FifoPolicy::Coldest() const {
  return FirstToGo(queue_, queue_.Oldest(), /*spared=*/1);
}

void LruPolicy::Hit(EvictionEntry& entry) {
  Touch(entry);
  MutexLock lock(mutex_);
  if (entry.younger != nullptr) {
    queue_.Remove(entry);
    queue_.AddYoungest(entry);
  } else if (Unpark(entry)) {
    queue_.AddYoungest(entry);
  }
}

}  // namespace packice
