// Segments that had one large blob each and have none now, kept warm for the next one. Owned by a
// SegmentMemory. Thread-compatible; takes time by the logarithm of their number.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "packice/core/clock.h"
#include "segment.h"

namespace packice {

class IdleSegments {
 public:
  bool empty() const { return segments_.empty(); }
  size_t count() const { return segments_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t reserved_bytes() const;
  // Since when the longest idle one is. Requires: not empty.
  Instant since() const { return segments_.begin()->second.since; }

  void Add(std::unique_ptr<Segment> segment, Instant now);
  // The smallest of `least` to `most` bytes, of these the longest idle; null where there is none.
  std::unique_ptr<Segment> Take(uint64_t least, uint64_t most);
  // Requires: not empty.
  std::unique_ptr<Segment> TakeLongestIdle();

 private:
  struct Idle {
    std::unique_ptr<Segment> segment;
    Instant since;
  };

  std::unique_ptr<Segment> Take(std::map<uint64_t, Idle>::iterator place);

  std::map<uint64_t, Idle> segments_;                // by the order in which they came
  std::set<std::pair<uint64_t, uint64_t>> by_size_;  // size, and place in segments_
  uint64_t next_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace packice
