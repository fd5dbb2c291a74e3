#include "gdsf_policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace packice {
namespace {

constexpr uint32_t kMaxUses = 1 << 16;
constexpr double kEmpty = std::numeric_limits<double>::infinity();
// Classes to a factor of two, and the one of one use a byte.
constexpr int kSteps = 8;
constexpr int kUnit = 640;

double WorthOf(size_t index) {
  return std::exp2(static_cast<double>(static_cast<int>(index) - kUnit) / kSteps);
}

}  // namespace

GdsfPolicy::GdsfPolicy(const Clock& clock) : QueuedPolicy(clock) {
  MutexLock lock(mutex_);
  least_.fill(kEmpty);
}

size_t GdsfPolicy::ClassOf(const EvictionEntry& entry) {
  const double uses = entry.uses.load(std::memory_order_relaxed) + 1.0;
  const auto bytes = static_cast<double>(std::max<uint64_t>(entry.charged, 1));
  return static_cast<size_t>(kUnit + std::lround(kSteps * std::log2(uses / bytes)));
}

void GdsfPolicy::HeadChanged(size_t index) {
  const EvictionEntry* const head = classes_[index].Oldest();
  size_t node = kClasses + index;
  least_[node] = head == nullptr ? kEmpty : head->rank;
  for (node /= 2; node > 0; node /= 2) {
    const double least = std::min(least_[2 * node], least_[2 * node + 1]);
    if (least_[node] == least) break;
    least_[node] = least;
  }
}

size_t GdsfPolicy::LeastClass() const {
  size_t node = 1;
  while (node < kClasses) {
    node *= 2;
    if (least_[node] > least_[node + 1]) ++node;
  }
  return node - kClasses;
}

void GdsfPolicy::Rank(EvictionEntry& entry) {
  const size_t index = ClassOf(entry);
  entry.queue = static_cast<uint16_t>(index);
  entry.rank = floor_ + WorthOf(index);
  classes_[index].AddYoungest(entry);
  if (classes_[index].Oldest() == &entry) HeadChanged(index);
}

void GdsfPolicy::Enqueue(EvictionEntry& entry, bool /*expected*/) { Rank(entry); }

void GdsfPolicy::PutBack(EvictionEntry& entry) {
  EvictionQueue& queue = classes_[entry.queue];
  // Only others that were put back can be of less.
  if (const EvictionEntry* head = queue.Oldest()) entry.rank = std::min(entry.rank, head->rank);
  queue.AddOldest(entry);
  HeadChanged(entry.queue);
}

void GdsfPolicy::Dequeue(EvictionEntry& entry) {
  const bool is_head = classes_[entry.queue].Oldest() == &entry;
  classes_[entry.queue].Remove(entry);
  if (is_head) HeadChanged(entry.queue);
}

void GdsfPolicy::Hit(EvictionEntry& entry) {
  Touch(entry);
  MutexLock lock(mutex_);
  if (entry.uses.load(std::memory_order_relaxed) < kMaxUses) {
    entry.uses.fetch_add(1, std::memory_order_relaxed);
  }
  if (entry.younger != nullptr) {
    Dequeue(entry);
    Rank(entry);
  } else if (Unpark(entry)) {
    Rank(entry);
  }
}

EvictionEntry* GdsfPolicy::Next() {
  return least_[1] == kEmpty ? nullptr : classes_[LeastClass()].Oldest();
}

void GdsfPolicy::Evicted(const EvictionEntry& entry) { floor_ = std::max(floor_, entry.rank); }

const EvictionEntry* GdsfPolicy::Coldest() const {
  if (least_[1] == kEmpty) return nullptr;
  const EvictionQueue& queue = classes_[LeastClass()];
  return FirstToGo(queue, queue.Oldest(), kMaxUses + 1);
}

}  // namespace packice
