// How much flows in a second, of late: older flow counts less and less. A value; thread-compatible.
#pragma once

#include <cmath>

#include "packice/core/clock.h"

namespace packice {

class RateMeter {
 public:
  void Add(double amount, Instant now) {
    rate_ = Rate(now) + amount / kSeconds;
    as_of_ = now;
  }
  double Rate(Instant now) const {
    return rate_ * std::exp(-absl::ToDoubleSeconds(now - as_of_) / kSeconds);
  }

 private:
  static constexpr double kSeconds = 2;

  double rate_ = 0;
  Instant as_of_ = absl::ZeroDuration();
};

}  // namespace packice
