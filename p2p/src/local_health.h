// Lifeguard's local health multiplier: how likely it is that what looks like the failure of others
// is a failure of this member. 0 is well; the worse, the more time it gives to others.
// Thread-compatible.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace packice {

class LocalHealth {
 public:
  static constexpr uint32_t kWorst = 7;

  void Raise(size_t by) { value_ = static_cast<uint32_t>(std::min<size_t>(kWorst, value_ + by)); }
  void Lower() {
    if (value_ > 0) --value_;
  }

  uint32_t value() const { return value_; }
  absl::Duration Stretch(absl::Duration duration) const { return duration * (value_ + 1); }

 private:
  uint32_t value_ = 0;
};

}  // namespace packice
