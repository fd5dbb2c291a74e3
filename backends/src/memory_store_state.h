// What a MemoryBlobStore and its blobs share: the media, and how many descriptors are out.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "memory_medium.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/blob.h"
#include "packice/core/mutex.h"
#include "segment_memory.h"

namespace packice {

class MemoryStoreState {
 public:
  explicit MemoryStoreState(const MemoryBlobStoreOptions& options);

  // A memfd or file of a blob's own; GiveBack says when it is closed. As BlobStore::Create.
  absl::StatusOr<std::unique_ptr<Blob>> MakeOwn(absl::optional<uint64_t> size);
  void GiveBack() { own_.fetch_sub(1, std::memory_order_relaxed); }

  // Whether sealed bytes of this size go to a segment.
  bool IsSmall(uint64_t size) const { return size <= options_.segment_threshold; }

  // Made when first needed, because only then it is known whether there are memfds.
  SegmentMemory& segments();

  Instant ReleaseIdle(Instant now);
  MemoryBlobStore::Counters counters() const;

 private:
  std::shared_ptr<SegmentMemory> MadeSegments() const;

  const MemoryBlobStoreOptions options_;
  const size_t max_descriptors_;
  MemoryMedium medium_;
  std::atomic<size_t> own_{0};
  mutable Mutex mutex_;
  std::shared_ptr<SegmentMemory> segments_ ABSL_GUARDED_BY(mutex_);  // may be null
};

}  // namespace packice
