#include "packice/backends/segment_index.h"

#include "absl/types/optional.h"
#include "packice/core/object_place.h"

namespace packice {
namespace {

constexpr uint64_t kLower = UINT32_MAX;

}  // namespace

void SegmentIndex::Publish(const Object& object, Instant deadline) {
  const absl::optional<ObjectPlace> place = PlaceOf(object);
  if (!place.has_value()) return;
  ReadIndexEntry entry;
  entry.id = object.id().bytes();
  entry.deadline = deadline;
  entry.size = object.size();
  entry.offset = place->offset;
  entry.readable = place->segment != 0 && object.blobs().size() == 1 && entry.size <= kMaxSize;
  entry.segment = ReadIndexEntry::kOwnMemory;
  if (place->segment != 0) {
    const uint64_t first = place->segment & ~kLower;
    uint64_t known = 0;
    if (!first_segment_.compare_exchange_strong(known, first, std::memory_order_relaxed) &&
        known != first) {
      return;
    }
    entry.segment = static_cast<uint32_t>(place->segment & kLower);
  }
  index_->Publish(entry);
}

void SegmentIndex::Withdraw(const ObjectId& object_id) { index_->Withdraw(object_id.bytes()); }

}  // namespace packice
