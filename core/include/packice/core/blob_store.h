// Where new blobs come from: one medium, one implementation. Owned by the peer that fills it.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/core/blob.h"
#include "packice/core/clock.h"
#include "packice/core/object_id.h"

namespace packice {

class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // An empty blob to be written. With a `size` (bytes) it is that long from the start, zero-filled,
  // and its writers are kept to it; without one it grows as it is written, until Seal. Its room is
  // given back when it is destroyed, or when the last process that has it open lets go. `capacity`
  // when descriptors, memory or disk run out; the caller may evict and ask again. Blocks for the
  // medium's system calls only.
  virtual absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) = 0;

  // The same for the blob of a given object, by whose id a store may choose the blob's place.
  virtual absl::StatusOr<std::unique_ptr<Blob>> CreateFor(const ObjectId& object_id,
                                                          absl::optional<uint64_t> size) {
    static_cast<void>(object_id);
    return Create(size);
  }

  // The same for a blob that this process fills by Blob::Write alone: until its Seal nobody asks it
  // for a descriptor or a mapping, so that a store may put it where no other process could write.
  virtual absl::StatusOr<std::unique_ptr<Blob>> CreateHere(const ObjectId& object_id,
                                                           uint64_t size) {
    return CreateFor(object_id, size);
  }

  // Keeps the bytes of a sealed blob of this store under a number, so that bytes that nobody uses
  // cost nothing but themselves and a number: the blob may then only be destroyed. Nothing, and
  // nothing has changed, where somebody else shares the bytes, or the store keeps none of them so.
  // Requires: nobody else shares the blob. Does not block.
  virtual absl::optional<uint64_t> Park(Blob& blob) {
    static_cast<void>(blob);
    return absl::nullopt;
  }

  // A blob of the bytes that Park answered the number for, `size` of them. The number is of no use
  // any more. Does not block.
  virtual std::shared_ptr<Blob> Unpark(uint64_t parked, uint64_t size) {
    static_cast<void>(parked);
    static_cast<void>(size);
    return nullptr;
  }

  // Gives what the store has kept ready for a while, and nobody has needed, back to the system.
  // To be asked again at the time that it answers; InfiniteDuration: there is nothing of the kind.
  virtual Instant ReleaseIdle(Instant now) {
    static_cast<void>(now);
    return absl::InfiniteDuration();
  }

  // What a blob of `size` bytes will take up of the medium, in bytes.
  virtual uint64_t FootprintOf(uint64_t size) const { return size; }
};

}  // namespace packice
