// A clock that stands still until a test moves it. Thread-safe.
#pragma once

#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice {

class FakeClock final : public Clock {
 public:
  // Both scales start at arbitrary whole seconds, unequal so that nobody mistakes one for the
  // other.
  FakeClock() = default;

  Instant Now() const override;
  absl::Time WallTime() const override;

  // Moves both scales. Requires: `by` is not negative.
  void Advance(absl::Duration by);

  // Moves wall time alone, either way, as an administrator does.
  void JumpWallTime(absl::Duration by);

 private:
  mutable Mutex mutex_;
  Instant now_ ABSL_GUARDED_BY(mutex_) = absl::Hours(1);
  absl::Time wall_time_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'700'000'000);
};

}  // namespace packice
