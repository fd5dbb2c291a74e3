// Two answers to "which is the lowest?" in a few steps, however many there are.
//
// Owned by a SegmentAllocator. Thread-compatible. Both grow to the highest number they were given,
// and never shrink.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/optional.h"

namespace packice {

// A set of small numbers: a bit each, and a bit for each 64 of those.
class LowestSet {
 public:
  void Insert(uint32_t number) {
    const size_t word = number / 64;
    if (word >= words_.size()) {
      words_.resize(word + 1);
      summary_.resize(word / 64 + 1);
    }
    words_[word] |= uint64_t{1} << number % 64;
    summary_[word / 64] |= uint64_t{1} << word % 64;
  }

  void Erase(uint32_t number) {
    const size_t word = number / 64;
    if (word >= words_.size()) return;
    words_[word] &= ~(uint64_t{1} << number % 64);
    if (words_[word] == 0) summary_[word / 64] &= ~(uint64_t{1} << word % 64);
  }

  bool empty() const { return !First().has_value(); }

  absl::optional<uint32_t> First() const {
    for (size_t i = 0; i < summary_.size(); ++i) {
      if (summary_[i] == 0) continue;
      const size_t word = i * 64 + static_cast<size_t>(std::countr_zero(summary_[i]));
      return static_cast<uint32_t>(word * 64) +
             static_cast<uint32_t>(std::countr_zero(words_[word]));
    }
    return absl::nullopt;
  }

  // In ascending order.
  std::vector<uint32_t> All() const;

 private:
  std::vector<uint64_t> words_;
  std::vector<uint64_t> summary_;
};

// A value for each small number, 0 at first: a tree of maxima.
class LowestAtLeast {
 public:
  void Set(uint32_t number, uint32_t value);

  // The lowest number whose value is at least `value`, which is not 0.
  absl::optional<uint32_t> Find(uint32_t value) const;

 private:
  // A heap: node i has the children 2i and 2i + 1, and the second half are the values.
  std::vector<uint32_t> nodes_ = std::vector<uint32_t>(2);
};

}  // namespace packice
