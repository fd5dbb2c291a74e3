#include "range_blob.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "segment_memory.h"

namespace packice {

absl::StatusOr<size_t> RangeBlob::Read(uint64_t offset, absl::Span<char> out) const {
  const absl::StatusOr<size_t> read = blob_.Read(offset, out);
  const uint64_t filled = filled_.load(std::memory_order_acquire);
  if (!read.ok() || offset + *read <= filled) return read;
  const uint64_t own = filled > offset ? filled - offset : 0;
  std::memset(out.data() + own, 0, *read - own);
  return read;
}

absl::Status RangeBlob::Write(uint64_t offset, absl::string_view bytes) {
  MutexLock lock(writing_);
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  if (offset > size() || bytes.size() > size() - offset) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a write of ", bytes.size(), " bytes at ", offset,
                                  " passes the declared size of ", size()));
  }
  FillTo(offset);
  if (!bytes.empty()) std::memcpy(range_->bytes.data() + offset, bytes.data(), bytes.size());
  const uint64_t end = offset + bytes.size();
  if (end > filled_.load(std::memory_order_relaxed)) {
    filled_.store(end, std::memory_order_release);
  }
  return absl::OkStatus();
}

absl::Status RangeBlob::Seal(absl::optional<uint64_t> final_size) {
  MutexLock lock(writing_);
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
  if (final_size.has_value() && *final_size != size()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a final size of ", *final_size,
                                  " bytes contradicts the declared size of ", size()));
  }
  FillTo(size());
  sealed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<Mapping> RangeBlob::Map(MapAccess access) const {
  if (sealed()) return blob_.Map(access);
  return MakeError(ErrorKind::kUnsupported, "a blob that its node writes is mapped once sealed");
}

absl::optional<uint64_t> RangeBlob::Park() {
  constexpr long kOwn = 2;  // range_ and blob_'s
  if (!sealed() || range_.use_count() != kOwn) return absl::nullopt;
  // Whoever shared it has let go; what he did before that is over.
  std::atomic_thread_fence(std::memory_order_acquire);
  return SegmentMemory::Park(*range_);
}

void RangeBlob::FillTo(uint64_t offset) {
  const uint64_t filled = filled_.load(std::memory_order_relaxed);
  if (offset <= filled) return;
  std::memset(range_->bytes.data() + filled, 0, offset - filled);
  filled_.store(offset, std::memory_order_release);
}

}  // namespace packice
