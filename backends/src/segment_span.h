// A run of pages of one segment in use: for one large object, or cut into slots of one size, of
// which there are 16 a doubling, multiples of 64 bytes.
//
// Owned by a SegmentAllocator. Thread-compatible.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace packice {

inline constexpr uint32_t kPageBytes = 4096;
// No span is smaller: each begins in a group of its own of so many pages.
inline constexpr uint32_t kMinSpanPages = 16;

struct SlabClass {
  uint32_t size = 0;
  uint16_t pages = 0;  // of a span
  uint16_t slots = 0;  // in a span
};

inline constexpr uint32_t kMaxSlabSize = 64 * 1024;
inline constexpr size_t kSlabClasses = 16 + 6 * 16;
inline constexpr size_t kOwnSpan = kSlabClasses;  // the class where a span holds one object

// The smallest class that holds `size`, at most kMaxSlabSize.
constexpr size_t SlabClassOf(uint64_t size) {
  if (size <= 64) return 0;
  if (size <= 1024) return static_cast<size_t>((size - 1) / 64);
  const auto doubling = static_cast<unsigned>(std::bit_width(size - 1)) - 11;
  return 16 * doubling + static_cast<size_t>((size - 1) >> (doubling + 6));
}

// The shortest span that leaves at most a 32nd of it unused behind the last slot.
constexpr SlabClass MakeSlabClass(size_t index) {
  const size_t doubling = index < 16 ? 0 : index / 16 - 1;
  const size_t steps = index < 16 ? index + 1 : index % 16 + 17;
  const auto size = static_cast<uint32_t>(steps << (doubling + 6));
  uint32_t pages = kMinSpanPages;
  while (pages * kPageBytes % size > pages * kPageBytes / 32) ++pages;
  return {size, static_cast<uint16_t>(pages), static_cast<uint16_t>(pages * kPageBytes / size)};
}

inline constexpr std::array<SlabClass, kSlabClasses> kClasses = [] {
  std::array<SlabClass, kSlabClasses> classes;
  for (size_t i = 0; i < kSlabClasses; ++i) classes[i] = MakeSlabClass(i);
  return classes;
}();

struct SegmentSpan {
  uint32_t page = 0;   // its first
  uint32_t pages = 0;  // 0: there is none
  uint16_t slab_class = kOwnSpan;
  uint16_t taken = 0;  // slots
  // Ones are free slots. Only a slab of more than 64 has `more`, and then those are all.
  uint64_t bits = 0;
  std::unique_ptr<uint64_t[]> more;

  // Cuts it into slots, all of them free.
  void MakeSlab(size_t of_class);

  // Requires that there is one.
  uint32_t TakeLowestSlot();
  // Aborts when it is free already.
  void GiveBackSlot(uint32_t slot);

 private:
  uint64_t* words() { return more ? more.get() : &bits; }
};

}  // namespace packice
