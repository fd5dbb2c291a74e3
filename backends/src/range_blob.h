// The node's own view of a blob in a segment: one that this process writes there, whose size is
// declared, or sealed bytes that have come there. Owned by its Object; may outlive the store.
// Thread-safe as Blob asks.
//
// The range's memory has had other bytes before; what was not written yet reads as zeros.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "packice/core/blob.h"
#include "packice/core/mutex.h"
#include "packice/core/segment_blob.h"
#include "segment_range.h"

namespace packice {

class RangeBlob final : public Blob {
 public:
  // `sealed`: all of the range is the blob's already.
  RangeBlob(std::shared_ptr<SegmentRange> range, bool sealed)
      : range_(range),
        blob_(range->bytes, range->offset, range->segment, range),
        sealed_(sealed),
        filled_(sealed ? range->bytes.size() : 0) {}

  uint64_t size() const override { return blob_.size(); }
  bool sealed() const override { return sealed_.load(std::memory_order_acquire); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override;
  absl::Status Write(uint64_t offset, absl::string_view bytes) override;
  absl::Status Seal(absl::optional<uint64_t> size) override;
  // `unsupported` before Seal: nobody may look at what the memory had before.
  absl::StatusOr<Mapping> Map(MapAccess access) const override;
  BlobDescriptor Describe() const override { return blob_.Describe(); }

  // As BlobStore::Park.
  absl::optional<uint64_t> Park();

 private:
  // Makes zeros of what lies between the bytes written so far and `offset`.
  void FillTo(uint64_t offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);

  // No kernel stands between a late write and the seal, as one does for a memfd.
  Mutex writing_;
  const std::shared_ptr<SegmentRange> range_;
  SegmentBlob blob_;
  std::atomic<bool> sealed_;
  std::atomic<uint64_t> filled_;  // bytes from the start that are the blob's own
};

}  // namespace packice
