// Where time comes from. Passed into constructors, so that tests can make it pass.
#pragma once

#include "absl/time/time.h"

namespace packice {

// A point on a clock's monotonic scale, as the time since that scale's arbitrary start. Deadlines
// are Instants, because wall time can jump. absl::InfiniteDuration() is never.
using Instant = absl::Duration;

// Implementations are thread-safe and do not block.
class Clock {
 public:
  virtual ~Clock() = default;

  // For deadlines and intervals. Never goes back.
  virtual Instant Now() const = 0;

  // For people and records.
  virtual absl::Time WallTime() const = 0;

  // CLOCK_MONOTONIC and CLOCK_REALTIME. Lives for ever.
  static Clock& System();
};

}  // namespace packice
