#include "packice/core/segment_blob.h"

#include <algorithm>
#include <cstring>

#include "packice/core/error.h"

namespace packice {
namespace {

absl::Status IsSealed() { return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed"); }

}  // namespace

absl::StatusOr<size_t> SegmentBlob::Read(uint64_t offset, absl::Span<char> out) const {
  if (offset >= bytes_.size()) return size_t{0};
  const size_t count = std::min<size_t>(out.size(), bytes_.size() - offset);
  if (count > 0) std::memcpy(out.data(), bytes_.data() + offset, count);
  return count;
}

absl::Status SegmentBlob::Write(uint64_t, absl::string_view) { return IsSealed(); }

// Sealed from the start: whoever follows a node's word has nothing left to do.
absl::Status SegmentBlob::Seal(absl::optional<uint64_t>) { return absl::OkStatus(); }

absl::StatusOr<Mapping> SegmentBlob::Map(MapAccess access) const {
  if (access == MapAccess::kReadWrite) return IsSealed();
  return Mapping::Borrow(absl::MakeSpan(const_cast<char*>(bytes_.data()), bytes_.size()), owner_);
}

BlobDescriptor SegmentBlob::Describe() const {
  return FdDescriptor{std::shared_ptr<const UniqueFd>(owner_, &segment_->fd), offset_,
                      bytes_.size(), segment_};
}

}  // namespace packice
