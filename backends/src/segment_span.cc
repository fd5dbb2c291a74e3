#include "segment_span.h"

#include <algorithm>
#include <cstdlib>

namespace packice {

void SegmentSpan::MakeSlab(size_t of_class) {
  const SlabClass& slab = kClasses[of_class];
  slab_class = static_cast<uint16_t>(of_class);
  const uint32_t count = (slab.slots + 63u) / 64;
  if (count > 1) more = std::make_unique<uint64_t[]>(count);
  std::fill_n(words(), count, ~uint64_t{0});
  if (slab.slots % 64 != 0) words()[count - 1] >>= 64 - slab.slots % 64;
}

uint32_t SegmentSpan::TakeLowestSlot() {
  uint64_t* word = words();
  while (*word == 0) ++word;
  const auto slot = static_cast<uint32_t>(std::countr_zero(*word));
  *word &= *word - 1;
  ++taken;
  return static_cast<uint32_t>(word - words()) * 64 + slot;
}

void SegmentSpan::GiveBackSlot(uint32_t slot) {
  uint64_t& word = words()[slot / 64];
  const uint64_t bit = uint64_t{1} << slot % 64;
  if ((word & bit) != 0) std::abort();
  word |= bit;
  --taken;
}

}  // namespace packice
