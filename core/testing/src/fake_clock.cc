#include "packice/core/testing/fake_clock.h"

namespace packice {

Instant FakeClock::Now() const {
  MutexLock lock(mutex_);
  return now_;
}

absl::Time FakeClock::WallTime() const {
  MutexLock lock(mutex_);
  return wall_time_;
}

void FakeClock::Advance(absl::Duration by) {
  MutexLock lock(mutex_);
  now_ += by;
  wall_time_ += by;
}

void FakeClock::JumpWallTime(absl::Duration by) {
  MutexLock lock(mutex_);
  wall_time_ += by;
}

}  // namespace packice
