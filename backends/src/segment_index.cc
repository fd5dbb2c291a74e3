#include "packice/backends/segment_index.h"

#include "packice/core/blob_descriptor.h"

namespace packice {
namespace {

constexpr uint64_t kLower = UINT32_MAX;

}  // namespace

void SegmentIndex::Publish(const Object& object, Instant deadline) {
  if (object.blobs().size() != 1) return;
  const BlobDescriptor descriptor = object.blobs().front()->Describe();
  const auto* const place = absl::get_if<FdDescriptor>(&descriptor);
  if (place == nullptr || place->segment == nullptr || place->size > kMaxSize) return;
  const uint64_t first = place->segment->id & ~kLower;
  uint64_t known = 0;
  if (!first_segment_.compare_exchange_strong(known, first, std::memory_order_relaxed) &&
      known != first) {
    return;
  }
  ReadIndexEntry entry;
  entry.id = object.id().bytes();
  entry.segment = static_cast<uint32_t>(place->segment->id & kLower);
  entry.offset = place->offset;
  entry.size = place->size;
  entry.deadline = deadline;
  index_->Publish(entry);
}

void SegmentIndex::Withdraw(const ObjectId& object_id) { index_->Withdraw(object_id.bytes()); }

}  // namespace packice
