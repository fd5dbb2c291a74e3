// Random numbers for choices that nobody gains from guessing: small, quick, and the same for the
// same seed (SplitMix64). A value; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace packice {

class RandomStream {
 public:
  explicit RandomStream(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // From 0 to `bound` - 1. Requires: `bound` is not 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }

  // From 0 to 1, without 1.
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  template <typename Container>
  void Shuffle(Container& items) {
    using std::swap;
    for (size_t i = items.size(); i > 1; --i) swap(items[i - 1], items[Below(i)]);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  uint64_t state_;
};

}  // namespace packice
