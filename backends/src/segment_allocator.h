// Which bytes of a set of large segments of memory are taken. Bookkeeping only: it touches none of
// that memory, and makes no system call.
//
// Owned by whoever owns the segments. Thread-compatible: the owner has a lock. Misuse is a bug of
// the owner and aborts, in all builds, because going on would hand out bytes of somebody's object.
//
// Objects up to 64 KiB have a slot in a slab: a span of 64 to 120 KiB cut into slots of one size,
// of which there are 16 a doubling. Larger ones have a span of their own, of whole pages, so that
// they can be mapped one by one. Whatever is taken is the lowest that fits, in the lowest segment,
// so that higher segments drain.
//
// Not a buddy system: powers of two take 24 % more for 4 KiB, 256 KiB and 3.12 MiB (70, 20 and 10 %
// of the objects), and up to 100 % for others; here it is 0.1 % for these, and at most 6.25 % and a
// 32nd for any over 960 bytes. The price is that a slab stays while one slot of it is taken: where
// sizes drift from 4 KiB to 3 MiB and any objects are evicted, not the oldest, a payload of 4 GiB
// held 2.2 times that in spans and 2.9 times in segments (segment_allocator_bench). What helps is
// to evict from segments with little in them: see usage().
//
// Allocate and Free take a few steps for each doubling of the segments and of their size, and a
// span one for each 256 KiB of it. The bookkeeping takes 42 bytes for each 64 KiB of segments, and
// a bit for each slot of less than 1 KiB: 6.6 MB beside 10 million objects of 1 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/optional.h"
#include "lowest.h"

namespace packice {

struct SegmentSpan;

class SegmentAllocator {
 public:
  struct Place {
    uint32_t segment = 0;
    uint64_t offset = 0;  // a multiple of 64; of 4096 for objects over 64 KiB
  };

  struct Figures {
    uint64_t objects = 0;
    uint64_t asked = 0;        // bytes of objects, as they were asked for
    uint64_t rounded = 0;      // RoomOf each of them
    uint64_t in_spans = 0;     // bytes of spans in use
    uint64_t in_segments = 0;  // bytes of all segments
  };

  // Of one segment.
  struct Usage {
    uint64_t objects = 0;
    uint64_t rounded = 0;     // RoomOf each of them
    uint64_t high_water = 0;  // how far from its start any byte was ever handed out
  };

  static constexpr uint64_t kMaxSize = uint64_t{16} << 20;
  static constexpr uint64_t kSegmentUnit = 64 * 1024;

  SegmentAllocator();
  ~SegmentAllocator();

  // Bytes that an object of `size` takes up; at least 64.
  static uint64_t RoomOf(uint64_t size);

  // `id` is not in use, and small: the table has a place for each number up to the highest. The
  // lower it is, the sooner the segment is filled. `bytes` is a multiple of kSegmentUnit. A segment
  // of at least kMaxSize has room for any one object.
  void AddSegment(uint32_t id, uint64_t bytes);
  // The segment must be empty.
  void RemoveSegment(uint32_t id);

  // Nothing where no segment has the room: add one and ask again. Nothing for ever when `size` is
  // over kMaxSize.
  absl::optional<Place> Allocate(uint64_t size);
  // Of what Allocate gave for `size`. Aborts when that is not taken, or is not of that size's room.
  void Free(Place place, uint64_t size);

  const Figures& figures() const { return figures_; }
  // Of a segment that is there.
  const Usage& usage(uint32_t id) const;
  // Those without any object, in ascending order.
  std::vector<uint32_t> EmptySegments() const { return empty_.All(); }

 private:
  struct Segment;

  Segment& SegmentAt(uint32_t id) const;
  void Count(uint32_t id, uint64_t size);
  void Uncount(uint32_t id, uint64_t size);

  absl::optional<Place> TakeSlot(size_t slab_class);
  absl::optional<Place> TakeSpan(uint32_t pages);
  bool OpenSlab(size_t slab_class);
  void FreeSlot(Place place, size_t slab_class);
  void FreeSpan(uint32_t id, SegmentSpan& span);

  std::vector<std::unique_ptr<Segment>> segments_;  // by id
  LowestAtLeast free_runs_;                         // segments by their longest free run, in pages
  std::vector<LowestSet> with_slots_;  // by slab class: segments that have a slab with a free slot
  LowestSet empty_;
  Figures figures_;
};

}  // namespace packice
