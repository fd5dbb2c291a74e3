#include "memory_blob.h"

#include "packice/core/error.h"
#include "packice/core/segment_blob.h"

namespace packice {

MemoryBlob::~MemoryBlob() {
  if (!moved_) store_->GiveBack();
}

absl::Status MemoryBlob::Seal(absl::optional<uint64_t> size) {
  const std::shared_ptr<Blob> own = home();
  if (own->sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
  if (absl::Status status = own->Seal(size); !status.ok()) return status;
  std::shared_ptr<Blob> segment = CopyToSegment(*own);
  if (segment == nullptr) return absl::OkStatus();
  store_->GiveBack();
  moved_ = true;
  MutexLock lock(mutex_);
  home_ = std::move(segment);
  return absl::OkStatus();
}

std::shared_ptr<Blob> MemoryBlob::CopyToSegment(const Blob& own) const {
  if (!store_->IsSmall(own.size())) return nullptr;
  absl::StatusOr<std::shared_ptr<SegmentRange>> range = store_->segments().Allocate(own.size());
  if (!range.ok()) return nullptr;
  const SegmentRange& to = **range;
  const absl::StatusOr<size_t> read = own.Read(0, to.bytes);
  if (!read.ok() || *read != to.bytes.size()) return nullptr;
  return std::make_shared<SegmentBlob>(to.bytes, to.offset, to.segment, *std::move(range));
}

}  // namespace packice
