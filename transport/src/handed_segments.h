// Which segments of shared memory a connection has been handed: each goes once, with the first
// answer that names it. Belongs to one UdsConnection; thread-compatible, and to be used in the
// order in which answers are sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "dispatcher.h"
#include "packice/core/shared_segment.h"

namespace packice {

class HandedSegments {
 public:
  // Takes out of the answer what the client has, and tells it what the node has given up since.
  void Prepare(Answer& answer);
  // Whether the client has one that the node uses, as far as it was told.
  bool any() const { return !handed_.empty(); }

 private:
  // Whether the client has to be given this one, which from now on it has.
  bool IsNew(const std::shared_ptr<const SharedSegment>& segment);
  std::vector<uint64_t> TakeDropped();

  // Expired: the node has given it up.
  absl::flat_hash_map<uint64_t, std::weak_ptr<const SharedSegment>> handed_;
  uint32_t grants_ = 0;  // since dropped ones were looked for
};

}  // namespace packice
