// Blobs in memory, for a node that holds many: what is sealed and small lives in shared segments,
// what is large has a memfd of its own.
//
// Owned by the peer that fills it; its blobs may outlive it. Thread-safe. Calls block for the
// kernel only.
//
// A blob that a client writes is a memfd until its Seal, because a client may not write a segment.
// Its Seal freezes the memfd, and copies a small one into a segment: after that Describe names
// other bytes, which are the same, and what was taken before stays good. A blob that this process
// writes (CreateHere) is in a segment from the start, a large one in a segment of its own. Memory
// of segments is used again when nobody shares a blob, a descriptor or a mapping of it any more;
// docs/memory.md says why nobody can see that. Whoever is handed a segment's descriptor can read
// all that is in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/blob_store.h"
#include "packice/core/clock.h"
#include "packice/core/random.h"

namespace packice {

class MemoryStoreState;

// How the memory of segments is made.
struct SegmentPages {
  bool huge = false;      // of huge pages, where the system has them for shared memory
  bool prefault = false;  // whole segments at once, not as they fill
  bool lock = false;      // never swapped out (mlock(2); RLIMIT_MEMLOCK bounds it)
};

struct MemoryBlobStoreOptions {
  enum class Medium {
    kAuto,      // memfds, or temporary files where the kernel or a sandbox has no memfd
    kMemfd,     // MemfdBlob
    kTempFile,  // TempFileBlob
  };

  Medium medium = Medium::kAuto;

  // For kAuto and kTempFile. Nothing: TempFileBlob::DefaultDirectory().
  absl::optional<std::string> temp_directory;

  // How many descriptors blobs of their own and segments may hold at all: then Create is
  // `capacity`, so that connections and whatever else the process does still find some. Nothing:
  // three quarters of what the process may open when the store is made.
  absl::optional<size_t> max_descriptors;

  // How many segments there may be at all, each of which is a mapping: then CreateHere is
  // `capacity`. Nothing: three quarters of what the kernel gives a process (vm.max_map_count).
  absl::optional<size_t> max_mappings;

  // Sealed blobs up to this size (bytes) live together in segments.
  uint64_t segment_threshold = 256 * 1024;

  // How long memory that nobody uses is kept warm. Zero: not at all.
  absl::Duration idle_release = absl::Minutes(1);

  SegmentPages pages;
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
};

class MemoryBlobStore final : public BlobStore {
 public:
  // What the store and its living blobs hold.
  struct Counters {
    uint64_t own_descriptors = 0;  // blobs with a memfd, or file, of their own
    uint64_t segments = 0;         // one descriptor each
    uint64_t segment_blobs = 0;    // blobs that live in segments
    uint64_t segment_bytes = 0;    // of these blobs
    uint64_t reserved_bytes = 0;   // memory that segments have taken from the system
  };

  explicit MemoryBlobStore(MemoryBlobStoreOptions options = {});
  ~MemoryBlobStore() override;

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override;
  absl::StatusOr<std::unique_ptr<Blob>> CreateHere(const ObjectId& object_id,
                                                   uint64_t size) override;
  absl::optional<uint64_t> Park(Blob& blob) override;
  std::shared_ptr<Blob> Unpark(uint64_t parked, uint64_t size) override;
  Instant ReleaseIdle(Instant now) override;

  Counters counters() const;

 private:
  const std::shared_ptr<MemoryStoreState> state_;
};

}  // namespace packice
