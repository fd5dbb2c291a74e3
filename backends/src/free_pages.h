// Which pages of one segment are free, and where the lowest run of them begins.
//
// Owned by a SegmentAllocator. Thread-compatible. A bit for each page, and a tree over each 64 of
// them with the runs at both ends and the longest: finding a run, taking it and giving it back cost
// a few steps for each level, and one for each 64 pages of the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace packice {

class FreePages {
 public:
  // All of them free.
  explicit FreePages(uint32_t pages);

  // How many pages the longest run has.
  uint32_t longest() const { return nodes_[1].longest; }

  // The first page of the lowest run of `count`, which are taken then. Requires 0 < count <=
  // longest().
  uint32_t TakeLowest(uint32_t count);

  // Aborts when one of them is free already.
  void GiveBack(uint32_t first, uint32_t count);

 private:
  struct Runs {
    uint32_t prefix = 0;
    uint32_t suffix = 0;
    uint32_t longest = 0;
  };

  static Runs OfWord(uint64_t word);
  static Runs Join(const Runs& left, const Runs& right, uint32_t width);

  uint32_t FindLowest(uint32_t count) const;
  // Flips the bits, which must all be `from`, and sets the tree right.
  void Flip(uint32_t first, uint32_t count, bool from);
  void Update(size_t first_word, size_t last_word);

  std::vector<uint64_t> words_;  // ones are free
  // A heap: node i has the children 2i and 2i + 1, and the second half are those of the words.
  std::vector<Runs> nodes_;
};

}  // namespace packice
