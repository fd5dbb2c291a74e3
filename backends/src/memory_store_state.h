// What a MemoryBlobStore and its blobs share: the media, and how many descriptors are out.
// Thread-safe.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "budget.h"
#include "memory_medium.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/blob.h"
#include "packice/core/mutex.h"
#include "segment_memory.h"

namespace packice {

class MemoryStoreState {
 public:
  explicit MemoryStoreState(const MemoryBlobStoreOptions& options);

  // A memfd or file of a blob's own, and the share of descriptors that it takes.
  struct Own {
    std::unique_ptr<Blob> blob;
    Budget::Share descriptor;
  };
  // As BlobStore::Create.
  absl::StatusOr<Own> MakeOwn(absl::optional<uint64_t> size);

  // Whether sealed bytes of this size go to a segment.
  bool IsSmall(uint64_t size) const { return size <= options_.segment_threshold; }

  // Made when first needed, because only then it is known whether there are memfds.
  SegmentMemory& segments();

  Instant ReleaseIdle(Instant now);
  MemoryBlobStore::Counters counters() const;

 private:
  absl::StatusOr<Own> TryMakeOwn(absl::optional<uint64_t> size);
  std::shared_ptr<SegmentMemory> MadeSegments() const;

  const MemoryBlobStoreOptions options_;
  Budget descriptors_;  // of blobs of their own and of segments
  Budget mappings_;     // of segments
  MemoryMedium medium_;
  mutable Mutex mutex_;
  std::shared_ptr<SegmentMemory> segments_ ABSL_GUARDED_BY(mutex_);  // may be null
};

}  // namespace packice
