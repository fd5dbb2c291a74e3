// What S3-FIFO remembers of objects that left its small queue: fingerprints of their ids in the
// order in which they left, as far back as a number of bytes of objects goes. Not thread-safe.
//
// A policy with millions of objects asks here at every miss, and waits for memory each time it
// looks: so a place in the index is 8 bytes in one table, and what the next eviction will look at
// is fetched ahead. 24 bytes and 11 to 22 of index for each ghost.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "packice/core/object_id.h"

namespace packice {

class GhostList {
 public:
  // An object of `bytes` left. Forgets the oldest beyond `limit` bytes in all, or `max_entries`.
  void Add(const ObjectId& id, uint64_t bytes, uint64_t limit, size_t max_entries);

  // Whether it is remembered; it is not any more afterwards.
  bool Take(const ObjectId& id);

  // A hint that the id of this fingerprint comes next.
  void Prefetch(uint64_t fingerprint) const;
  static uint64_t FingerprintOf(const ObjectId& id);

  size_t size() const { return size_; }
  uint64_t bytes() const { return bytes_; }

 private:
  using Index = uint32_t;
  static constexpr Index kNone = ~Index{0};
  struct Ghost {
    uint64_t fingerprint;
    uint64_t bytes;
    Index older;
    Index younger;  // of those that are free: the next one
  };
  static constexpr size_t kChunkBits = 12;

  // Part of the index, by fingerprint: open addressing with linear probing. A place holds the
  // fingerprint's lower half and the ghost's number plus one; 0 is free. In parts, so that none
  // takes long to grow.
  struct Part {
    std::unique_ptr<uint64_t[]> places;
    size_t mask = 0;  // their number less one
    size_t used = 0;
  };
  static constexpr size_t kParts = 256;

  Ghost& At(Index index) { return chunks_[index >> kChunkBits][index & ((1 << kChunkBits) - 1)]; }
  Part& PartOf(uint64_t fingerprint) { return parts_[fingerprint >> 56]; }
  static void Enter(Part& part, uint64_t place);
  static void Erase(Part& part, size_t at);
  static void Grow(Part& part);
  Index NewGhost();
  bool Forget(uint64_t fingerprint);

  std::vector<std::unique_ptr<Ghost[]>> chunks_;
  Index free_ = kNone;
  Index oldest_ = kNone;
  Index youngest_ = kNone;
  std::array<Part, kParts> parts_;
  size_t size_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace packice
