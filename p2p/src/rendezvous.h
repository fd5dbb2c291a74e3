// Which trackers know of an object: rendezvous hashing, the same at every node, in every process
// and whatever the order of the trackers. Where one is added or taken away, only its own objects
// move.
//
// Immutable; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "packice/core/object_id.h"

namespace packice {

class Rendezvous {
 public:
  static constexpr size_t kCopies = 2;
  using Chosen = absl::InlinedVector<size_t, kCopies>;

  explicit Rendezvous(const std::vector<std::string>& names);

  // The best, then the second best, as indices into the names.
  Chosen Of(const ObjectId& object_id) const;
  bool Concerns(const ObjectId& object_id, size_t index) const;

 private:
  std::vector<uint64_t> seeds_;  // of each name
};

}  // namespace packice
