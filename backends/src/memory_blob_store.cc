#include "packice/backends/memory_blob_store.h"

#include <utility>

#include "memory_blob.h"
#include "memory_store_state.h"
#include "segment_writer.h"

namespace packice {

MemoryBlobStore::MemoryBlobStore(MemoryBlobStoreOptions options)
    : state_(std::make_shared<MemoryStoreState>(options)) {}

MemoryBlobStore::~MemoryBlobStore() = default;

absl::StatusOr<std::unique_ptr<Blob>> MemoryBlobStore::Create(absl::optional<uint64_t> size) {
  absl::StatusOr<std::unique_ptr<Blob>> own = state_->MakeOwn(size);
  if (!own.ok()) return own.status();
  return std::make_unique<MemoryBlob>(state_, *std::move(own));
}

absl::StatusOr<std::unique_ptr<Blob>> MemoryBlobStore::CreateHere(const ObjectId&, uint64_t size) {
  absl::StatusOr<std::shared_ptr<SegmentRange>> range = state_->segments().Allocate(size);
  if (!range.ok()) return range.status();
  return std::make_unique<SegmentWriter>(*std::move(range));
}

Instant MemoryBlobStore::ReleaseIdle(Instant now) { return state_->ReleaseIdle(now); }

MemoryBlobStore::Counters MemoryBlobStore::counters() const { return state_->counters(); }

}  // namespace packice
