#include "cli/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace packice::cli {

// A value of n > kStepBits bits falls into group n - kStepBits, by the kStepBits bits behind its
// first one.
size_t LatencyHistogram::BucketOf(uint64_t nanoseconds) {
  const int bits = std::bit_width(nanoseconds);
  if (bits <= kStepBits) return static_cast<size_t>(nanoseconds);
  const int group = bits - kStepBits;
  const uint64_t step = (nanoseconds >> (group - 1)) - kSteps;
  return static_cast<size_t>(group) * kSteps + static_cast<size_t>(step);
}

uint64_t LatencyHistogram::UpperBound(size_t bucket) {
  if (bucket < kSteps) return bucket;
  const size_t group = bucket / kSteps;
  const uint64_t step = bucket % kSteps;
  return ((kSteps + step + 1) << (group - 1)) - 1;
}

void LatencyHistogram::Add(absl::Duration duration) {
  ++counts_[BucketOf(
      static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration))))];
  ++count_;
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
}

absl::Duration LatencyHistogram::Quantile(double quantile) const {
  const uint64_t wanted = std::max<uint64_t>(
      1, static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted) return absl::Nanoseconds(static_cast<int64_t>(UpperBound(i)));
  }
  return absl::ZeroDuration();
}

}  // namespace packice::cli
