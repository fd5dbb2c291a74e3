// A sealed blob in shared memory that this process has mapped: on the node's side, and on that of a
// client which was told where it lies.
//
// Whoever shares it, or was given a descriptor or a mapping of it, keeps its bytes from being used
// again. Thread-safe; nothing blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "packice/core/blob.h"
#include "packice/core/shared_segment.h"

namespace packice {

class SegmentBlob final : public Blob {
 public:
  // `bytes` are at `offset` of the segment. `owner` keeps them: on the node their range, in a
  // client the mapping.
  SegmentBlob(absl::Span<const char> bytes, uint64_t offset,
              std::shared_ptr<const SharedSegment> segment, std::shared_ptr<const void> owner)
      : bytes_(bytes), offset_(offset), segment_(std::move(segment)), owner_(std::move(owner)) {}

  uint64_t size() const override { return bytes_.size(); }
  bool sealed() const override { return true; }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override;
  absl::Status Write(uint64_t offset, absl::string_view bytes) override;
  absl::Status Seal(absl::optional<uint64_t> size) override;
  absl::StatusOr<Mapping> Map(MapAccess access) const override;
  BlobDescriptor Describe() const override;

 private:
  const absl::Span<const char> bytes_;
  const uint64_t offset_;
  const std::shared_ptr<const SharedSegment> segment_;
  const std::shared_ptr<const void> owner_;
};

}  // namespace packice
