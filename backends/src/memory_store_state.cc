#include "memory_store_state.h"

#include <sys/resource.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/backends/temp_file_blob.h"
#include "packice/core/error.h"

namespace packice {
namespace {

size_t DescriptorLimit() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return static_cast<size_t>(limit.rlim_cur);
}

}  // namespace

MemoryStoreState::MemoryStoreState(const MemoryBlobStoreOptions& options)
    : options_(options),
      max_descriptors_(options.max_descriptors.value_or(DescriptorLimit() / 4 * 3)),
      medium_(options.medium, options.temp_directory.value_or(TempFileBlob::DefaultDirectory())) {}

absl::StatusOr<std::unique_ptr<Blob>> MemoryStoreState::MakeOwn(absl::optional<uint64_t> size) {
  if (own_.fetch_add(1, std::memory_order_relaxed) >= max_descriptors_) {
    GiveBack();
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("blobs hold all of the ", max_descriptors_,
                                  " descriptors that they may; release some, or raise the limit "
                                  "(ulimit -n)"));
  }
  absl::StatusOr<std::unique_ptr<Blob>> blob = medium_.Make(size);
  if (!blob.ok()) GiveBack();
  return blob;
}

SegmentMemory& MemoryStoreState::segments() {
  MutexLock lock(mutex_);
  if (segments_ == nullptr) {
    segments_ = std::make_shared<SegmentMemory>(options_, medium_.in_temp_files());
  }
  return *segments_;
}

std::shared_ptr<SegmentMemory> MemoryStoreState::MadeSegments() const {
  MutexLock lock(mutex_);
  return segments_;
}

Instant MemoryStoreState::ReleaseIdle(Instant now) {
  const std::shared_ptr<SegmentMemory> segments = MadeSegments();
  return segments != nullptr ? segments->ReleaseIdle(now) : absl::InfiniteDuration();
}

MemoryBlobStore::Counters MemoryStoreState::counters() const {
  MemoryBlobStore::Counters counters;
  counters.own_descriptors = own_.load(std::memory_order_relaxed);
  const std::shared_ptr<SegmentMemory> segments = MadeSegments();
  if (segments == nullptr) return counters;
  const SegmentMemory::Counters those = segments->counters();
  counters.segments = those.segments;
  counters.segment_blobs = those.blobs;
  counters.segment_bytes = those.bytes;
  counters.reserved_bytes = those.reserved_bytes;
  return counters;
}

}  // namespace packice
