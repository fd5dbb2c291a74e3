#include "packice/backends/memory_blob_store.h"

#include <utility>

#include "memory_blob.h"
#include "memory_store_state.h"
#include "range_blob.h"

namespace packice {

MemoryBlobStore::MemoryBlobStore(MemoryBlobStoreOptions options)
    : state_(std::make_shared<MemoryStoreState>(options)) {}

MemoryBlobStore::~MemoryBlobStore() = default;

absl::StatusOr<std::unique_ptr<Blob>> MemoryBlobStore::Create(absl::optional<uint64_t> size) {
  absl::StatusOr<MemoryStoreState::Own> own = state_->MakeOwn(size);
  if (!own.ok()) return own.status();
  return std::make_unique<MemoryBlob>(state_, *std::move(own));
}

absl::StatusOr<std::unique_ptr<Blob>> MemoryBlobStore::CreateHere(const ObjectId&, uint64_t size) {
  absl::StatusOr<std::shared_ptr<SegmentRange>> range = state_->segments().Allocate(size);
  if (!range.ok()) return range.status();
  return std::make_unique<RangeBlob>(*std::move(range), /*sealed=*/false);
}

absl::optional<uint64_t> MemoryBlobStore::Park(Blob& blob) {
  if (auto* const here = dynamic_cast<RangeBlob*>(&blob)) return here->Park();
  auto* const written = dynamic_cast<MemoryBlob*>(&blob);
  return written != nullptr ? written->Park() : absl::nullopt;
}

std::shared_ptr<Blob> MemoryBlobStore::Unpark(uint64_t parked, uint64_t size) {
  return std::make_shared<RangeBlob>(state_->segments().Unpark(parked, size), /*sealed=*/true);
}

Instant MemoryBlobStore::ReleaseIdle(Instant now) { return state_->ReleaseIdle(now); }

MemoryBlobStore::Counters MemoryBlobStore::counters() const { return state_->counters(); }

}  // namespace packice
