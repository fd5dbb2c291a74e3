#include "packice/core/clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace packice {
namespace {

class SystemClock final : public Clock {
 public:
  Instant Now() const override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::DurationFromTimespec(now);
  }
  absl::Time WallTime() const override { return absl::Now(); }
};

}  // namespace

Clock& Clock::System() {
  static Clock& clock = *new SystemClock;
  return clock;
}

}  // namespace packice
