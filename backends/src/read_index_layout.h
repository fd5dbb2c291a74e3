// What the memory of a read index looks like: a page of header, slots of a cache line each, and
// after them the arena with the ids that do not fit into a slot.
//
// Shared by processes of one machine, so words are in its byte order. The header's fields are
// written before the memory is handed out, except `state`.
//
// An id may lie in either of two buckets of four neighbouring slots. Why this:
// - The hash says with which of the four to begin, and a bucket is filled in that order, so that
//   most lookups touch one line only; all of a bucket is one page and 256 bytes, which the reader
//   asks the memory for at once.
// - Two choices and moving a neighbour out of the way let 27 of 32 slots be taken. A reader looks
//   at eight slots at the most, whatever they hold.
// - No entry's place depends on another's, so a deletion empties a slot and that is all.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "read_index_slot.h"

namespace packice {

inline constexpr uint64_t kReadIndexMagic = 0x315844494b434150;  // "PACKIDX1"
inline constexpr uint64_t kReadIndexLayout = 2;

struct ReadIndexHeader {
  uint64_t magic;
  uint64_t layout;
  uint64_t generation;
  uint64_t seed;  // of the ids' hash
  uint64_t buckets;
  uint64_t arena_words;
  uint64_t unused[2];
  // ReadIndexState; in a line of its own, which all readers keep in their caches.
  RealMemory::Word state;
};

inline constexpr uint64_t kHeaderBytes = 4096;
inline constexpr uint64_t kBucketSlots = 4;
// hash >> 32 picks a bucket; see BucketsOf.
inline constexpr uint64_t kMaxBuckets = uint64_t{1} << 31;
// The longest id takes 32 words. Only what is used of the arena takes memory.
inline constexpr uint64_t kArenaWordsPerSlot = 32;

using ReadIndexSlot = SlotOf<RealMemory>;
using ReadIndexWord = RealMemory::Word;

static_assert(sizeof(ReadIndexSlot) == 64);
static_assert(sizeof(ReadIndexHeader) <= kHeaderBytes && offsetof(ReadIndexHeader, state) == 64);
static_assert(ReadIndexWord::is_always_lock_free);  // else it would not work between processes

inline uint64_t SlotsBytes(uint64_t buckets) {
  return buckets * kBucketSlots * sizeof(ReadIndexSlot);
}
inline uint64_t TableBytes(uint64_t buckets, uint64_t arena_words) {
  return kHeaderBytes + SlotsBytes(buckets) + arena_words * sizeof(ReadIndexWord);
}

// The two buckets of a hash, the preferred one first; the same one twice when there is one only.
struct BucketPair {
  uint64_t first, second;
};
inline BucketPair BucketsOf(uint64_t hash, uint64_t buckets) {
  BucketPair pair;
  pair.first = ((hash >> 32) * buckets) >> 32;
  const uint64_t mixed = ((hash << 32) | (hash >> 32)) * 0x9e3779b97f4a7c15;
  pair.second = ((mixed >> 32) * buckets) >> 32;
  if (pair.second == pair.first) pair.second = pair.first + 1 < buckets ? pair.first + 1 : 0;
  return pair;
}

// The `nth` slot of a bucket to look at: pairs of lines that the processor fetches together first.
inline uint64_t SlotAt(uint64_t bucket, uint64_t hash, uint64_t nth) {
  return bucket * kBucketSlots + (((hash >> 16) ^ nth) % kBucketSlots);
}

// All four lines, so that their misses overlap.
inline void PrefetchBucket(const ReadIndexSlot* bucket) {
  for (uint64_t i = 0; i < kBucketSlots; ++i) __builtin_prefetch(bucket + i);
}

}  // namespace packice
