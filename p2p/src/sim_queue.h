// What is to happen in a simulated swarm, in the order of its time and, at one time, of its making;
// also its clock. Thread-compatible.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "packice/core/clock.h"

namespace packice {

class SimQueue final : public Clock {
 public:
  using Work = absl::AnyInvocable<void() &&>;

  Instant Now() const override { return absl::Nanoseconds(now_); }
  absl::Time WallTime() const override { return absl::UnixEpoch() + Now(); }
  int64_t nanoseconds() const { return now_; }

  // Not before now.
  void At(int64_t nanoseconds, Work work) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(work_.size());
      work_.push_back(std::move(work));
    } else {
      slot = free_.back();
      free_.pop_back();
      work_[slot] = std::move(work);
    }
    heap_.push_back({std::max(nanoseconds, now_), ++made_, slot});
    std::push_heap(heap_.begin(), heap_.end());
    max_size_ = std::max(max_size_, heap_.size());
  }
  void After(int64_t nanoseconds, Work work) { At(now_ + nanoseconds, std::move(work)); }

  // Does the next thing, unless there is none until then.
  bool Step(int64_t until) {
    if (heap_.empty() || heap_.front().at > until) return false;
    std::pop_heap(heap_.begin(), heap_.end());
    const Entry entry = heap_.back();
    heap_.pop_back();
    now_ = entry.at;
    ++done_;
    Work work = std::move(work_[entry.slot]);
    free_.push_back(entry.slot);
    std::move(work)();
    return true;
  }

  uint64_t done() const { return done_; }
  size_t max_size() const { return max_size_; }

 private:
  struct Entry {
    int64_t at;
    uint64_t made;
    uint32_t slot;
    // The heap's first is its greatest.
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.at != b.at ? a.at > b.at : a.made > b.made;
    }
  };

  int64_t now_ = 0;
  uint64_t made_ = 0;
  uint64_t done_ = 0;
  size_t max_size_ = 0;
  std::vector<Entry> heap_;
  std::vector<Work> work_;  // by slot
  std::vector<uint32_t> free_;
};

}  // namespace packice
