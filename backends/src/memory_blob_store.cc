#include "packice/backends/memory_blob_store.h"

#include <utility>

#include "memory_blob.h"
#include "packer.h"

namespace packice {

MemoryBlobStore::MemoryBlobStore(MemoryBlobStoreOptions options)
    : packer_(std::make_shared<Packer>(options)) {}

MemoryBlobStore::~MemoryBlobStore() = default;

absl::StatusOr<std::unique_ptr<Blob>> MemoryBlobStore::Create(absl::optional<uint64_t> size) {
  absl::StatusOr<std::shared_ptr<Tenant>> tenant = packer_->Create(size);
  if (!tenant.ok()) return tenant.status();
  return std::make_unique<MemoryBlob>(packer_, *std::move(tenant));
}

MemoryBlobStore::Counters MemoryBlobStore::counters() const { return packer_->counters(); }

}  // namespace packice
