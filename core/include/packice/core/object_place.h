// Where an object's memory begins: no two objects have one place at a time, so whoever keeps one
// from going can tell by its place whether another is the same. Of those whose first blob is empty
// this does not hold.
#pragma once

#include <cstdint>

#include "absl/types/optional.h"
#include "packice/core/object.h"

namespace packice {

struct ObjectPlace {
  uint64_t segment = 0;  // SharedSegment::id; 0: memory of its own
  uint64_t offset = 0;   // in the segment; of memory of its own, the inode

  friend bool operator==(const ObjectPlace&, const ObjectPlace&) = default;
};

// Nothing for an object that is not in shared memory: without a blob, of paths or URLs, or where
// the system does not tell. One system call for memory of its own.
absl::optional<ObjectPlace> PlaceOf(const Object& object);

}  // namespace packice
