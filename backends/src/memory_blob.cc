#include "memory_blob.h"

#include "packice/core/error.h"

namespace packice {

absl::Status MemoryBlob::Seal(absl::optional<uint64_t> size) {
  const std::shared_ptr<Blob> own = home();
  if (own->sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
  if (absl::Status status = own->Seal(size); !status.ok()) return status;
  std::shared_ptr<RangeBlob> segment = CopyToSegment(*own);
  if (segment == nullptr) return absl::OkStatus();
  descriptor_ = Budget::Share();
  moved_ = segment.get();
  MutexLock lock(mutex_);
  home_ = std::move(segment);
  return absl::OkStatus();
}

absl::optional<uint64_t> MemoryBlob::Park() {
  return moved_ != nullptr ? moved_->Park() : absl::nullopt;
}

std::shared_ptr<RangeBlob> MemoryBlob::CopyToSegment(const Blob& own) const {
  if (!store_->IsSmall(own.size())) return nullptr;
  absl::StatusOr<std::shared_ptr<SegmentRange>> range = store_->segments().Allocate(own.size());
  if (!range.ok()) return nullptr;
  const SegmentRange& to = **range;
  const absl::StatusOr<size_t> read = own.Read(0, to.bytes);
  if (!read.ok() || *read != to.bytes.size()) return nullptr;
  return std::make_shared<RangeBlob>(*std::move(range), /*sealed=*/true);
}

}  // namespace packice
