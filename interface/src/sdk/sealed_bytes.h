// The bytes of a sealed object, seen from a client: mapped when first looked at.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/fixed_array.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/mapping.h"
#include "packice/core/mutex.h"
#include "packice/core/object.h"
#include "sdk/connection.h"
#include "sdk/quota.h"

namespace packice::sdk {

// Thread-safe. Lets go of the descriptors once all blobs are mapped: descriptors are few, and a
// mapping needs none.
class SealedBytes {
 public:
  // The connection outlives this.
  SealedBytes(Connection& connection, std::shared_ptr<Object> object, Quota::Share descriptors);

  size_t blob_count() const { return slots_.size(); }
  uint64_t size() const { return size_; }
  uint64_t blob_size(size_t blob);  // 0 of a blob that there is not

  absl::StatusOr<absl::string_view> View(size_t blob);
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out, size_t blob);

 private:
  struct Slot {
    // Once true, `mapping` is fixed and needs no lock.
    std::atomic<bool> mapped{false};
    Mapping mapping;
    Quota::Share share;
  };

  absl::Status CheckIndex(size_t blob) const;
  absl::Status Map(size_t blob);

  Connection& connection_;
  Mutex mutex_;
  std::shared_ptr<Object> object_ ABSL_GUARDED_BY(mutex_);  // null once all is mapped and dropped
  Quota::Share descriptors_ ABSL_GUARDED_BY(mutex_);
  size_t unmapped_ ABSL_GUARDED_BY(mutex_);
  absl::FixedArray<Slot, 1> slots_;
  const uint64_t size_;
};

}  // namespace packice::sdk
