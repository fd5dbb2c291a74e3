// A small generator of pseudo-random numbers whose results are the same on each platform, for
// decisions that must be repeatable. Not for secrets. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/numeric/int128.h"

namespace packice {

// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): spreads all bits of `value`.
inline uint64_t MixBits(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t Next() { return MixBits(state_ += 0x9e3779b97f4a7c15); }

  // 0 to `bound` - 1. Requires: `bound` is not 0. Biased by less than bound / 2^64.
  uint64_t Below(uint64_t bound) { return absl::Uint128High64(absl::uint128(Next()) * bound); }

  // 0 to 1, without 1.
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  template <typename Container>
  void Shuffle(Container& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(i)]);
  }

 private:
  uint64_t state_;
};

}  // namespace packice
