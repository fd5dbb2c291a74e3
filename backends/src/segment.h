// One segment of shared memory: a large memfd, or a temporary file where there is none, that this
// process has mapped writable before it was sealed against all other writers.
//
// Owned by a SegmentMemory. Thread-compatible; what `shared()` names may live longer, in those who
// were handed it. Calls block for the kernel only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "budget.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/shared_segment.h"

namespace packice {

// What a segment takes of its process.
struct SegmentShares {
  Budget::Share descriptor;
  Budget::Share mapping;
};

class Segment {
 public:
  // `bytes` is a multiple of the page size; of these, memory is taken as Reserve says. An empty
  // `temp_directory`: a memfd, which is `unsupported` where there is none. `capacity`.
  static absl::StatusOr<std::unique_ptr<Segment>> Create(uint64_t id, uint64_t bytes,
                                                         const std::string& temp_directory,
                                                         const SegmentPages& pages,
                                                         SegmentShares shares = {});
  ~Segment();

  uint64_t size() const { return shared_->size; }
  char* bytes() const { return bytes_; }
  const std::shared_ptr<const SharedSegment>& shared() const { return shared_; }

  // Takes the memory of the first `bytes`, so that touching them cannot fail later. `capacity`.
  absl::Status Reserve(uint64_t bytes);
  uint64_t reserved() const { return reserved_; }

 private:
  Segment(std::shared_ptr<const SharedSegment> shared, UniqueFd writable, char* bytes, bool lock,
          SegmentShares shares)
      : shares_(std::move(shares)),
        shared_(std::move(shared)),
        writable_(std::move(writable)),
        bytes_(bytes),
        lock_(lock) {}

  const SegmentShares shares_;

  const std::shared_ptr<const SharedSegment> shared_;
  const UniqueFd writable_;  // of a temporary file; a memfd is reached by `shared_`
  char* const bytes_;
  const bool lock_;
  uint64_t reserved_ = 0;
};

}  // namespace packice
