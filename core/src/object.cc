#include "packice/core/object.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

Object::Object(ObjectId id, Metadata metadata, Blobs blobs, absl::Time created_at)
    : id_(std::move(id)),
      metadata_(std::move(metadata)),
      blobs_(std::move(blobs)),
      created_at_(created_at) {}

Object::Object(ObjectId id, Metadata metadata, Blobs blobs, absl::Time created_at,
               absl::Time sealed_at)
    : id_(std::move(id)),
      blobs_(std::move(blobs)),
      created_at_(created_at),
      frozen_metadata_(std::move(metadata)),
      sealed_at_(sealed_at),
      state_(ObjectState::kSealed) {}

uint64_t Object::size() const {
  uint64_t sum = 0;
  for (const auto& blob : blobs_) sum += blob->size();
  return sum;
}

uint64_t Object::footprint() const {
  uint64_t sum = 0;
  for (const auto& blob : blobs_) sum += blob->footprint();
  return sum;
}

absl::Status Object::Seal(absl::optional<uint64_t> size, const Metadata& changes, absl::Time now,
                          absl::FunctionRef<absl::Status(const Metadata&)> commit) {
  Metadata merged = metadata_;
  merged.Merge(changes);
  if (absl::Status status = merged.CheckSize(); !status.ok()) return status;
  for (size_t i = 0; i < blobs_.size(); ++i) {
    Blob& blob = *blobs_[i];
    const absl::optional<uint64_t> final_size = i == 0 ? size : absl::nullopt;
    if (blob.sealed()) {  // an earlier attempt got this far
      if (!final_size.has_value() || *final_size == blob.size()) continue;
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat("the first blob has been frozen at ", blob.size(), " bytes"));
    }
    if (absl::Status status = blob.Seal(final_size); !status.ok()) return status;
  }
  if (absl::Status status = commit(merged); !status.ok()) return status;
  frozen_metadata_ = std::move(merged);
  sealed_at_ = now;
  state_.store(ObjectState::kSealed, std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace packice
