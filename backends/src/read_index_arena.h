// Who has which words of a read index's arena: cells for ids of more than 32 bytes, of four to 32
// words in steps of four. Owned by a table; thread-compatible. Holds no words itself.
//
// A cell that is given back serves ids of its own size only, so the arena may run out while cells
// of other sizes are free; the table then takes no more long ids until it grows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/optional.h"

namespace packice {

class ReadIndexArena {
 public:
  explicit ReadIndexArena(uint64_t words) : words_(words) {}

  // The place of a cell for so many words, if there is room. Requires: 1 to 32 words.
  absl::optional<uint64_t> Take(size_t words) {
    std::vector<uint64_t>& free = free_[ClassOf(words)];
    if (!free.empty()) {
      const uint64_t place = free.back();
      free.pop_back();
      return place;
    }
    const uint64_t size = (ClassOf(words) + 1) * kStep;
    if (words_ - used_ < size) return absl::nullopt;
    used_ += size;
    return used_ - size;
  }
  void Give(uint64_t place, size_t words) { free_[ClassOf(words)].push_back(place); }

  // How many words have ever been in a cell.
  uint64_t used() const { return used_; }

 private:
  static constexpr size_t kStep = 4;
  static size_t ClassOf(size_t words) { return (words - 1) / kStep; }

  const uint64_t words_;
  uint64_t used_ = 0;
  std::array<std::vector<uint64_t>, 8> free_;
};

}  // namespace packice
