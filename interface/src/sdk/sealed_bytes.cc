#include "sdk/sealed_bytes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice::sdk {

SealedBytes::SealedBytes(Connection& connection, std::shared_ptr<Object> object,
                         Quota::Share descriptors)
    : connection_(connection),
      object_(std::move(object)),
      descriptors_(std::move(descriptors)),
      unmapped_(object_->blobs().size()),
      slots_(object_->blobs().size()),
      size_(object_->size()) {}

absl::Status SealedBytes::CheckIndex(size_t blob) const {
  if (blob < slots_.size()) return absl::OkStatus();
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("there is no blob ", blob, ", the object has ", slots_.size()));
}

uint64_t SealedBytes::blob_size(size_t blob) {
  if (!CheckIndex(blob).ok()) return 0;
  if (!slots_[blob].mapped.load(std::memory_order_acquire)) {
    MutexLock lock(mutex_);
    // Null when it was mapped just now.
    if (object_ != nullptr) return object_->blobs()[blob]->size();
  }
  return slots_[blob].mapping.view().size();
}

absl::Status SealedBytes::Map(size_t blob) {
  Slot& slot = slots_[blob];
  MutexLock lock(mutex_);
  if (slot.mapped.load(std::memory_order_relaxed)) return absl::OkStatus();

  const Blob& source = *object_->blobs()[blob];
  if (source.size() > 0) {
    absl::StatusOr<Quota::Share> share = connection_.mappings().Take(1);
    if (!share.ok()) return share.status();
    absl::StatusOr<Mapping> mapping = source.Map(MapAccess::kReadOnly);
    if (!mapping.ok()) return mapping.status();
    slot.share = *std::move(share);
    slot.mapping = *std::move(mapping);
  }
  slot.mapped.store(true, std::memory_order_release);

  if (--unmapped_ == 0 && connection_.is_remote()) {
    object_.reset();
    descriptors_ = Quota::Share();
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> SealedBytes::View(size_t blob) {
  if (absl::Status status = CheckIndex(blob); !status.ok()) return status;
  if (!slots_[blob].mapped.load(std::memory_order_acquire)) {
    if (absl::Status status = Map(blob); !status.ok()) return status;
  }
  return slots_[blob].mapping.view();
}

absl::StatusOr<size_t> SealedBytes::Read(uint64_t offset, absl::Span<char> out, size_t blob) {
  if (absl::Status status = CheckIndex(blob); !status.ok()) return status;
  if (!slots_[blob].mapped.load(std::memory_order_acquire)) {
    std::shared_ptr<Object> object;
    {
      MutexLock lock(mutex_);
      object = object_;
    }
    // Null when it was mapped just now.
    if (object != nullptr) return object->blobs()[blob]->Read(offset, out);
  }
  const absl::string_view bytes = slots_[blob].mapping.view();
  if (offset >= bytes.size()) return size_t{0};
  const size_t count = std::min<size_t>(out.size(), bytes.size() - offset);
  std::memcpy(out.data(), bytes.data() + offset, count);
  return count;
}

}  // namespace packice::sdk
