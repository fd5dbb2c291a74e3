#include "reaper.h"

#include <algorithm>
#include <utility>

namespace packice {
namespace {

// Deadlines that fall together are served together, and a long sleep is cut so that a clock that
// was suspended with the machine is noticed.
constexpr absl::Duration kShortestSleep = absl::Milliseconds(1);
constexpr absl::Duration kLongestSleep = absl::Minutes(1);

}  // namespace

Reaper::Reaper(const Clock& clock, std::function<Instant()> run_due)
    : clock_(clock), run_due_(std::move(run_due)), thread_([this] { Loop(); }) {}

Reaper::~Reaper() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyOne();
  }
  thread_.join();
}

void Reaper::Expect(Instant deadline) {
  MutexLock lock(mutex_);
  if (deadline >= wake_at_) return;
  wake_at_ = deadline;
  changed_.NotifyOne();
}

void Reaper::Loop() {
  while (true) {
    const Instant next = run_due_();
    MutexLock lock(mutex_);
    // An Expect during run_due_ may know of something earlier than `next`.
    wake_at_ = std::min(wake_at_, next);
    while (!stop_) {
      const absl::Duration left = wake_at_ - clock_.Now();
      if (left <= absl::ZeroDuration()) break;
      changed_.WaitFor(mutex_, std::clamp(left, kShortestSleep, kLongestSleep));
    }
    if (stop_) return;
    wake_at_ = absl::InfiniteDuration();
  }
}

}  // namespace packice
