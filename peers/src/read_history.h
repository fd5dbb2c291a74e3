// How often objects were read from cold of late: who is worth a promotion. Of the objects read only
// once it remembers the latest few ten thousand, by a fingerprint.
//
// Owned by a tiered peer. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"

namespace packice {

class ReadHistory {
 public:
  // `hits` within `window` are enough; 0: never.
  ReadHistory(uint32_t hits, absl::Duration window) : hits_(hits), window_(window) {}

  // The object is read now. Whether that is enough; then the count begins anew.
  bool Read(const ObjectId& id, Instant now);

 private:
  static constexpr size_t kMost = 1 << 16;

  struct Count {
    Instant since;
    uint32_t reads = 0;
  };

  const uint32_t hits_;
  const absl::Duration window_;
  Mutex mutex_;
  absl::flat_hash_map<uint64_t, Count> counts_ ABSL_GUARDED_BY(mutex_);
  // In the order in which counts began; one that began anew stands here twice.
  std::deque<std::pair<uint64_t, Instant>> order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
