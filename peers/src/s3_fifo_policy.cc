#include "s3_fifo_policy.h"

#include <algorithm>

namespace packice {
namespace {

constexpr uint32_t kMaxUses = 3;

// Ghosts are bounded by bytes of objects; of very small objects these would be too many to
// remember.
constexpr size_t kGhostsAtLeast = 1 << 20;
constexpr size_t kGhostsPerEntry = 4;

uint64_t Part(uint64_t whole, double part) {
  return static_cast<uint64_t>(static_cast<double>(whole) * part);
}

}  // namespace

S3FifoPolicy::S3FifoPolicy(const EvictionSpec& spec, absl::optional<uint64_t> capacity,
                           const Clock& clock)
    : QueuedPolicy(clock), spec_(spec), capacity_(capacity) {}

void S3FifoPolicy::Hit(EvictionEntry& entry) {
  Touch(entry);
  uint32_t uses = entry.uses.load(std::memory_order_relaxed);
  while (uses < kMaxUses &&
         !entry.uses.compare_exchange_weak(uses, uses + 1, std::memory_order_relaxed)) {
  }
}

void S3FifoPolicy::ChooseQueue(EvictionEntry& entry) {
  entry.fingerprint = GhostList::FingerprintOf(entry.id);
  entry.queue = ghosts_.Take(entry.id) ? kMain : kSmall;
}

void S3FifoPolicy::Expect(EvictionEntry& entry) {
  MarkExpected(entry);
  MutexLock lock(mutex_);
  ChooseQueue(entry);
}

void S3FifoPolicy::Enqueue(EvictionEntry& entry, bool expected) {
  if (!expected) ChooseQueue(entry);
  QueueOf(entry).AddYoungest(entry);
}

void S3FifoPolicy::PutBack(EvictionEntry& entry) { QueueOf(entry).AddOldest(entry); }

void S3FifoPolicy::Dequeue(EvictionEntry& entry) { QueueOf(entry).Remove(entry); }

uint64_t S3FifoPolicy::Whole() const { return capacity_.value_or(small_.bytes() + main_.bytes()); }

bool S3FifoPolicy::MainIsNext() const {
  const uint64_t whole = Whole();
  return small_.empty() || main_.bytes() > whole - Part(whole, spec_.small);
}

EvictionEntry* S3FifoPolicy::Next() {
  while (!small_.empty() || !main_.empty()) {
    if (MainIsNext()) {
      EvictionEntry& entry = *main_.Oldest();
      if (entry.uses.load(std::memory_order_relaxed) == 0) return &entry;
      entry.uses.fetch_sub(1, std::memory_order_relaxed);
      main_.Remove(entry);
      main_.AddYoungest(entry);
      continue;
    }
    // Once begun, on to the next victim, however much the main queue grows.
    while (EvictionEntry* const entry = small_.Oldest()) {
      if (entry->uses.load(std::memory_order_relaxed) < spec_.promote) return entry;
      small_.Remove(*entry);
      entry->uses.store(0, std::memory_order_relaxed);
      entry->queue = kMain;
      main_.AddYoungest(*entry);
    }
  }
  return nullptr;
}

void S3FifoPolicy::Evicted(const EvictionEntry& entry) {
  PrefetchNext();
  if (entry.queue != kSmall) return;
  const size_t entries = small_.entries() + main_.entries();
  ghosts_.Add(entry.id, entry.charged, Part(Whole(), spec_.ghost),
              std::max(kGhostsAtLeast, kGhostsPerEntry * entries));
}

// Where there are millions of objects, most of an eviction is waiting for memory. The entry that is
// next is at hand, as the neighbour of the one that just left; the one after it is not, nor is the
// place of its ghost.
void S3FifoPolicy::PrefetchNext() const {
  const EvictionEntry* const next = small_.Oldest();
  if (next == nullptr) return;
  ghosts_.Prefetch(next->fingerprint);  // its id may just be changed, if it is pinned
  if (const EvictionEntry* const after = small_.YoungerThan(*next)) {
    __builtin_prefetch(after, 1);
    __builtin_prefetch(&after->state, 1);
  }
}

const EvictionEntry* S3FifoPolicy::Coldest() const {
  return MainIsNext() ? FirstToGo(main_, main_.Oldest(), /*spared=*/1)
                      : FirstToGo(small_, small_.Oldest(), spec_.promote);
}

}  // namespace packice
