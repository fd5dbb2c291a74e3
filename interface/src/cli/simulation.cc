#include "cli/simulation.h"

#include <time.h>

#include <cstring>
#include <limits>

#include "packice/core/clock.h"

namespace packice::cli {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
// So far ahead the loop fetches what a request will look at: the trace is known, and a simulation
// should measure the policy, not the memory.
constexpr size_t kAhead = 16;

// A policy asks for the time in order to tell of ages, which nobody asks here.
class StillClock final : public Clock {
 public:
  Instant Now() const override { return absl::ZeroDuration(); }
  absl::Time WallTime() const override { return absl::UnixEpoch(); }
};

const Clock& Still() {
  static const StillClock clock;
  return clock;
}

// Of this thread: what else the machine does at the time says nothing of a policy.
absl::Duration ProcessorTime() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

struct Simulation::Slot {
  EvictionEntry entry;
  uint32_t pins = 0;
  bool cached = false;
};

double SimulationResult::RequestMissRatio() const { return Ratio(misses, requests); }
double SimulationResult::ByteMissRatio() const { return Ratio(missed_bytes, requested_bytes); }

Simulation::Simulation(const Trace& trace, const SimulationOptions& options)
    : trace_(trace),
      options_(options),
      policy_(MakeEvictionPolicy(options.policy, options.capacity, Still())),
      slots_(trace.sizes.size()) {
  if (options.lease_requests > 0) leased_.assign(options.lease_requests + 1, kNone);
  for (size_t i = 0; i < slots_.size(); ++i) {
    EvictionEntry& entry = slots_[i].entry;
    char id[sizeof i];
    std::memcpy(id, &i, sizeof i);
    entry.id = *ObjectId::Parse(absl::string_view(id, sizeof id));
    entry.incarnation = i;
    entry.charged = options.ignore_sizes ? 1 : trace.sizes[i];
  }
}

Simulation::~Simulation() = default;

const SimulationResult& Simulation::Run() {
  const std::vector<uint32_t>& requests = trace_.requests;
  const absl::Duration start = ProcessorTime();
  for (size_t i = 0; i < requests.size(); ++i) {
    if (i + kAhead < requests.size()) {
      const Slot& slot = slots_[requests[i + kAhead]];
      __builtin_prefetch(&slot, 1);
      __builtin_prefetch(&slot.cached, 1);
    }
    Request(requests[i]);
  }
  result_.elapsed = ProcessorTime() - start;
  return result_;
}

bool Simulation::Request(uint32_t object) {
  EndLeases();
  Slot& slot = slots_[object];
  const uint64_t bytes = slot.entry.charged;
  const bool hit = slot.cached;
  result_.requested_bytes += bytes;
  if (!hit) {
    ++result_.misses;
    result_.missed_bytes += bytes;
    if (MakeRoom(slot.entry)) {
      policy_->Insert(slot.entry);
      slot.cached = true;
      used_ += bytes;
    }
  }
  if (!leased_.empty()) {
    leased_[result_.requests % leased_.size()] = slot.cached ? object : kNone;
    if (slot.cached) Pin(slot);
    pinned_sum_ += static_cast<double>(pinned_);
  }
  if (hit) policy_->Hit(slot.entry);
  ++result_.requests;
  if (leased_.empty()) return hit;
  result_.skips = policy_->skips();
  result_.pinned_share =
      pinned_sum_ / static_cast<double>(result_.requests) / static_cast<double>(options_.capacity);
  return hit;
}

bool Simulation::MakeRoom(EvictionEntry& entry) {
  const uint64_t bytes = entry.charged;
  if (bytes > options_.capacity) {
    ++result_.too_large;
    return false;
  }
  if (pinned_ > options_.capacity - bytes) {
    ++result_.all_pinned;
    return false;
  }
  policy_->Expect(entry);
  while (used_ > options_.capacity - bytes) {
    // There is one: what is not pinned is more than what is wanted.
    Slot& slot = slots_[policy_->Evict()->incarnation];
    policy_->Remove(slot.entry);
    slot.cached = false;
    used_ -= slot.entry.charged;
    ++result_.evictions;
  }
  return true;
}

void Simulation::Pin(Slot& slot) {
  if (slot.pins++ > 0) return;
  policy_->Pin(slot.entry);
  pinned_ += slot.entry.charged;
}

void Simulation::Unpin(Slot& slot) {
  if (--slot.pins > 0) return;
  policy_->Unpin(slot.entry);
  pinned_ -= slot.entry.charged;
}

void Simulation::EndLeases() {
  if (leased_.empty()) return;
  // The place of the request that is to come: what was there was leased lease_requests + 1 ago.
  const uint32_t object = leased_[result_.requests % leased_.size()];
  if (object != kNone) Unpin(slots_[object]);
}

}  // namespace packice::cli
