#include "memory_store_state.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
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

size_t MappingLimit() {
  constexpr size_t kUsual = 65530;
  size_t limit = 0;
  return std::ifstream("/proc/sys/vm/max_map_count") >> limit ? limit : kUsual;
}

}  // namespace

MemoryStoreState::MemoryStoreState(const MemoryBlobStoreOptions& options)
    : options_(options),
      descriptors_(options.max_descriptors.value_or(DescriptorLimit() / 4 * 3)),
      mappings_(options.max_mappings.value_or(MappingLimit() / 4 * 3)),
      medium_(options.medium, options.temp_directory.value_or(TempFileBlob::DefaultDirectory())) {}

absl::StatusOr<MemoryStoreState::Own> MemoryStoreState::MakeOwn(absl::optional<uint64_t> size) {
  absl::StatusOr<Own> own = TryMakeOwn(size);
  if (own.ok() || KindOf(own.status()) != ErrorKind::kCapacity) return own;
  // Segments that lie idle hold what this one wants.
  const std::shared_ptr<SegmentMemory> segments = MadeSegments();
  return segments != nullptr && segments->DropIdle() ? TryMakeOwn(size) : std::move(own);
}

absl::StatusOr<MemoryStoreState::Own> MemoryStoreState::TryMakeOwn(absl::optional<uint64_t> size) {
  Own own;
  own.descriptor = descriptors_.Take();
  if (!own.descriptor) {
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("blobs hold all of the ", descriptors_.most(),
                                  " descriptors that they may; release some, or raise the limit "
                                  "(ulimit -n)"));
  }
  absl::StatusOr<std::unique_ptr<Blob>> blob = medium_.Make(size);
  if (!blob.ok()) return blob.status();
  own.blob = *std::move(blob);
  return own;
}

SegmentMemory& MemoryStoreState::segments() {
  MutexLock lock(mutex_);
  if (segments_ == nullptr) {
    segments_ =
        std::make_shared<SegmentMemory>(options_, medium_.in_temp_files(), descriptors_, mappings_);
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
  counters.own_descriptors = descriptors_.taken();
  const std::shared_ptr<SegmentMemory> segments = MadeSegments();
  if (segments == nullptr) return counters;
  const SegmentMemory::Counters those = segments->counters();
  counters.segments = those.segments;
  counters.own_descriptors -= std::min(counters.own_descriptors, those.segments);
  counters.segment_blobs = those.blobs;
  counters.segment_bytes = those.bytes;
  counters.reserved_bytes = those.reserved_bytes;
  return counters;
}

}  // namespace packice
