// What S3-FIFO remembers of objects that left its small queue: fingerprints of their ids in the
// order in which they left, as far back as a number of bytes of objects goes. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "packice/core/object_id.h"

namespace packice {

class GhostList {
 public:
  // An object of `bytes` left. Forgets the oldest beyond `limit` bytes in all, or `max_entries`.
  void Add(const ObjectId& id, uint64_t bytes, uint64_t limit, size_t max_entries);

  // Whether it is remembered; it is not any more afterwards.
  bool Take(const ObjectId& id);

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
  // By fingerprint. In parts, so that none takes long to grow.
  using Part = absl::flat_hash_map<uint64_t, Index>;
  static constexpr size_t kParts = 256;

  Part& PartOf(uint64_t fingerprint) { return parts_[fingerprint % kParts]; }
  bool Forget(uint64_t fingerprint);

  std::deque<Ghost> ghosts_;
  Index free_ = kNone;
  Index oldest_ = kNone;
  Index youngest_ = kNone;
  std::array<Part, kParts> parts_;
  size_t size_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace packice
