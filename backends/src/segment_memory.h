// The shared memory of a node: blobs' bytes in segments, small ones together, large ones in a
// segment each.
//
// Shared by a MemoryBlobStore and the ranges it has given out. Thread-safe; calls block for the
// kernel only, when memory has to be taken.
//
// Memory that is given back is used again while it is warm: a page that a process has touched costs
// a copy, one that the kernel has yet to make several times that. It is safe because a range comes
// back only when nobody shares it any more: no lease, no descriptor that is being sent, no mapping
// in this process. Nothing can be cut out of a segment (F_SEAL_FUTURE_WRITE refuses holes), so that
// memory goes back to the system by whole segments, when they have been empty for a while.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "budget.h"
#include "idle_segments.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "segment.h"
#include "segment_allocator.h"
#include "segment_range.h"

namespace packice {

class SegmentMemory : public std::enable_shared_from_this<SegmentMemory> {
 public:
  // `in_temp_files`: there is no memfd. Each segment takes a share of both.
  SegmentMemory(const MemoryBlobStoreOptions& options, bool in_temp_files, Budget descriptors,
                Budget mappings);

  // Room for a blob of `size` bytes, which are whatever they were before. Memory that lies idle is
  // given up for it. `capacity`; what a medium can fail with.
  absl::StatusOr<std::shared_ptr<SegmentRange>> Allocate(uint64_t size);

  // Keeps the bytes of a range that nobody else shares under a number, as BlobStore::Park. The
  // range may then only be destroyed.
  static absl::optional<uint64_t> Park(SegmentRange& range);
  // A range of these bytes.
  std::shared_ptr<SegmentRange> Unpark(uint64_t parked, uint64_t size);

  // Gives back segments that have been empty for as long as the options say. Answers when to ask
  // again; InfiniteDuration: there are none.
  Instant ReleaseIdle(Instant now);

  // Gives back all that nobody uses, warm as it may be. False: there was nothing.
  bool DropIdle();

  struct Counters {
    uint64_t segments = 0;        // one descriptor each
    uint64_t blobs = 0;           // ranges that somebody shares
    uint64_t bytes = 0;           // of these, as they were asked for
    uint64_t reserved_bytes = 0;  // memory taken from the system
  };
  Counters counters() const;

 private:
  friend struct SegmentRange;

  // One that many blobs share; null segment: the allocator's number is free.
  struct Shared {
    std::unique_ptr<Segment> segment;
    Instant empty_since;  // when the last blob left; while there is one, of no meaning
  };

  absl::StatusOr<std::shared_ptr<SegmentRange>> TryAllocate(uint64_t size);
  absl::StatusOr<std::shared_ptr<SegmentRange>> AllocateShared(uint64_t size);
  absl::StatusOr<std::shared_ptr<SegmentRange>> AllocateAlone(uint64_t size);
  // In the segments that there are; null where none has the room.
  absl::StatusOr<std::shared_ptr<SegmentRange>> TakeShared(uint64_t size)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Blocks for as long as the kernel takes to make the memory.
  absl::StatusOr<std::unique_ptr<Segment>> MakeSegment(uint64_t bytes);
  void AddShared(std::unique_ptr<Segment> segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of the bytes at a place of a segment that many share.
  std::shared_ptr<SegmentRange> RangeAt(SegmentAllocator::Place place, uint64_t size);
  void Free(SegmentRange& range);
  std::unique_ptr<Segment> RemoveShared(uint32_t place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string temp_directory_;  // empty: memfds
  const uint64_t shared_limit_;       // larger blobs are alone
  const SegmentPages pages_;
  const absl::Duration idle_release_;
  Clock& clock_;
  Budget descriptors_;
  Budget mappings_;
  std::atomic<uint64_t> next_id_;

  // Whoever makes a segment that many will share; the next one then finds it. Above mutex_.
  Mutex growing_;

  // The segments of shared_, for whoever must not wait while another thread takes memory from the
  // system. Below mutex_; nothing is done under it.
  Mutex places_mutex_;
  std::vector<const Segment*> places_ ABSL_GUARDED_BY(places_mutex_);

  mutable Mutex mutex_;
  SegmentAllocator allocator_ ABSL_GUARDED_BY(mutex_);
  std::vector<Shared> shared_ ABSL_GUARDED_BY(mutex_);  // by the allocator's numbers
  absl::flat_hash_map<uint64_t, std::unique_ptr<Segment>> alone_ ABSL_GUARDED_BY(mutex_);  // by id
  IdleSegments idle_ ABSL_GUARDED_BY(mutex_);
  uint64_t alone_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t blobs_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace packice
