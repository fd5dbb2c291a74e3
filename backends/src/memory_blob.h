// The blob that a client writes: a memfd of its own, whose bytes move to a segment when it is
// sealed and small. Owned by its Object; may outlive the store. Thread-safe as Blob asks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "memory_store_state.h"
#include "packice/core/blob.h"
#include "packice/core/mutex.h"
#include "range_blob.h"

namespace packice {

class MemoryBlob final : public Blob {
 public:
  MemoryBlob(std::shared_ptr<MemoryStoreState> store, MemoryStoreState::Own own)
      : store_(std::move(store)),
        descriptor_(std::move(own.descriptor)),
        home_(std::move(own.blob)) {}

  uint64_t size() const override { return home()->size(); }
  bool sealed() const override { return home()->sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return home()->Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    return home()->Write(offset, bytes);
  }
  absl::Status Seal(absl::optional<uint64_t> size) override;
  absl::StatusOr<Mapping> Map(MapAccess access) const override { return home()->Map(access); }
  BlobDescriptor Describe() const override { return home()->Describe(); }

  // As BlobStore::Park.
  absl::optional<uint64_t> Park();

 private:
  // Where the bytes are at present. Who looks while they move goes on with the memfd, where they
  // are as well.
  std::shared_ptr<Blob> home() const {
    MutexLock lock(mutex_);
    return home_;
  }
  // Null where they stay in their memfd.
  std::shared_ptr<RangeBlob> CopyToSegment(const Blob& own) const;

  const std::shared_ptr<MemoryStoreState> store_;
  Budget::Share descriptor_;  // while the bytes are in their memfd; for Seal
  // Where Seal has moved the bytes; null while, and where, they stay in their memfd. For Park, to
  // which nobody else shares the blob.
  RangeBlob* moved_ = nullptr;
  mutable Mutex mutex_;
  std::shared_ptr<Blob> home_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
