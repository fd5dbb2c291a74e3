// Bytes of a segment that belong to one blob, until the last who shares this lets go.
//
// Shared by the blob and by every descriptor and mapping made of it. Thread-safe; the bytes are
// written by one thread before anybody else has it.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/shared_segment.h"

namespace packice {

class SegmentMemory;

struct SegmentRange {
  ~SegmentRange();

  std::shared_ptr<SegmentMemory> memory;  // null: the bytes are parked
  std::shared_ptr<const SharedSegment> segment;
  absl::Span<char> bytes;
  uint64_t offset = 0;
  absl::optional<uint32_t> place;  // the allocator's number of the segment; nothing: it is alone
};

}  // namespace packice
