// The unit of management: an id, metadata, one or more blobs, and a state that goes one way.
//
// Shared between the peer that manages it and whoever was granted a lease on it; its bytes live as
// long as somebody shares it. Everything but the seal is fixed at construction. Thread-safe; Seal
// is for one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/blob.h"
#include "packice/core/metadata.h"
#include "packice/core/object_id.h"

namespace packice {

enum class ObjectState { kCreating, kSealed };

class Object {
 public:
  // A peer may limit an object to fewer blobs; none allows more, because a Unix socket carries at
  // most 253 descriptors in one message (SCM_MAX_FD, unix(7)).
  static constexpr size_t kMaxBlobs = 253;

  // Most objects have one blob. Shared, because an object that gets another id keeps its bytes.
  using Blobs = absl::InlinedVector<std::shared_ptr<Blob>, 1>;

  // One that is being created.
  Object(ObjectId id, Metadata metadata, Blobs blobs, absl::Time created_at);
  // One that was sealed before, in another process or under another id.
  Object(ObjectId id, Metadata metadata, Blobs blobs, absl::Time created_at, absl::Time sealed_at);

  const ObjectId& id() const { return id_; }
  const Blobs& blobs() const { return blobs_; }
  absl::Time created_at() const { return created_at_; }
  ObjectState state() const { return state_.load(std::memory_order_acquire); }

  // The sums over its blobs, in bytes.
  uint64_t size() const;
  uint64_t footprint() const;

  // As given at creation until state() is kSealed, then as frozen.
  const Metadata& metadata() const {
    return state() == ObjectState::kSealed ? frozen_metadata_ : metadata_;
  }
  // Requires: state() is kSealed.
  absl::Time sealed_at() const { return sealed_at_; }

  // Freezes every blob, then the metadata with `changes` merged in. `size` is for blob 0, where its
  // creation gave none. Then calls `commit` with the metadata as it will be; only when that
  // succeeds is the object sealed. Blocks for the blobs' medium. On failure (see Blob::Seal, and
  // `invalid_argument` for metadata that grew too large) the object is still kCreating.
  absl::Status Seal(absl::optional<uint64_t> size, const Metadata& changes, absl::Time now,
                    absl::FunctionRef<absl::Status(const Metadata&)> commit);
  absl::Status Seal(absl::optional<uint64_t> size, const Metadata& changes, absl::Time now) {
    return Seal(size, changes, now, [](const Metadata&) { return absl::OkStatus(); });
  }

 private:
  const ObjectId id_;
  const Metadata metadata_;
  const Blobs blobs_;
  const absl::Time created_at_;
  // Written before state_ says kSealed, never after.
  Metadata frozen_metadata_;
  absl::Time sealed_at_ = absl::InfinitePast();
  std::atomic<ObjectState> state_{ObjectState::kCreating};
};

}  // namespace packice
