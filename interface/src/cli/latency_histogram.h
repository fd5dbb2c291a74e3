// How long calls took: counts by duration, in bounded memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace packice::cli {

// Exact below 64 ns, then in steps of at most 1/32 of the duration. Thread-compatible.
class LatencyHistogram {
 public:
  void Add(absl::Duration duration);
  void Merge(const LatencyHistogram& other);

  uint64_t count() const { return count_; }

  // The duration that a share of `quantile` (0 to 1) of all calls did not exceed; zero when there
  // are none.
  absl::Duration Quantile(double quantile) const;

 private:
  // Each power of two is cut into this many.
  static constexpr int kStepBits = 5;
  static constexpr size_t kSteps = size_t{1} << kStepBits;

  static size_t BucketOf(uint64_t nanoseconds);
  static uint64_t UpperBound(size_t bucket);

  std::array<uint64_t, (64 - kStepBits)* kSteps + kSteps> counts_ = {};
  uint64_t count_ = 0;
};

}  // namespace packice::cli
