// What a tiered peer knows of its cold tier's health, and when it tries again what failed: moves
// pause for a while that doubles with each failure; a tier that seems to be out of reach is probed,
// and is down from a failed probe to the next good one.
//
// Owned by a tiered peer. Thread-safe; tells of changes without a lock.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"

namespace packice {

// Whether a call went like this because its tier may be out of reach: it may have happened, too.
bool IsOutOfReach(const absl::Status& status);

class TierHealth {
 public:
  struct View {
    TierState state = TierState::kOk;
    std::string reason;
  };
  // Called with the state before and the one after, which differ.
  using OnChange = std::function<void(TierState before, const View& after)>;

  // Retries are `first` to `last` apart, less a random part of up to a half.
  TierHealth(const Clock& clock, RandomSource& random, absl::Duration first, absl::Duration last,
             OnChange on_change);

  bool IsDown() const { return down_.load(std::memory_order_relaxed); }
  View Get() const;

  // How a call to the tier went. `unavailable` and `timeout` raise the suspicion that it is out of
  // reach; the others say nothing.
  void Answered(const absl::Status& status);
  // How a move to the tier went.
  void Moved(const absl::Status& status);
  void SetSlow(bool slow, absl::string_view reason);

  // Moves wait until then.
  Instant NextMove() const;
  // When the tier is to be probed; InfiniteDuration: not at all. One who means to do so takes the
  // probe first: nobody else gets it until Probed.
  Instant NextProbe() const;
  bool TakeProbe();
  void Probed(const absl::Status& status);

 private:
  struct Pause {
    absl::Duration next;  // how long it will be
    Instant until = absl::ZeroDuration();
  };

  void Prolong(Pause& pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  View ViewLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Change>
  void Apply(Change change);

  const Clock& clock_;
  RandomSource& random_;
  const absl::Duration first_;
  const absl::Duration last_;
  const OnChange on_change_;
  std::atomic<bool> down_{false};

  mutable Mutex mutex_;
  Mutex telling_;  // so that changes are told in order
  bool suspected_ ABSL_GUARDED_BY(mutex_) = false;
  bool probing_ ABSL_GUARDED_BY(mutex_) = false;
  Pause moves_ ABSL_GUARDED_BY(mutex_);
  Pause probes_ ABSL_GUARDED_BY(mutex_);
  // Empty: it is not so.
  std::string down_reason_ ABSL_GUARDED_BY(mutex_);
  std::string failing_reason_ ABSL_GUARDED_BY(mutex_);
  std::string full_reason_ ABSL_GUARDED_BY(mutex_);
  std::string slow_reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
