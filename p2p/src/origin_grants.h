// Who may read which object from its origin, so that a fleet does not come down on it at once. Part
// of TrackerTable; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"

namespace packice {

class OriginGrants {
 public:
  // Live grants in all. Beyond them everybody is told to ask again.
  static constexpr size_t kMaxLive = 1'000'000;

  // `for_each`: at a time for one object. `lasts`: each.
  OriginGrants(uint32_t for_each, absl::Duration lasts) : for_each_(for_each), lasts_(lasts) {}

  struct Answer {
    bool granted = false;
    absl::Duration time;  // granted for so long, or ask again after this
  };
  // Who has a grant already keeps it. Whoever has no address is somebody else each time.
  Answer Ask(absl::string_view object_id, absl::string_view address, Instant now);

  // It has the object, or its origin failed.
  void Free(absl::string_view object_id, absl::string_view address);
  // It has got parts of the object, so it is at work.
  void Renew(absl::string_view object_id, absl::string_view address, Instant now);

  void DropLapsed(Instant now);
  size_t live() const { return live_; }

 private:
  struct Grant {
    std::string address;
    Instant until;
  };
  using Grants = absl::InlinedVector<Grant, 2>;

  // Takes out those for which `ended(grant)` holds, at most `max`.
  template <typename Ended>
  void TakeOut(absl::string_view object_id, size_t max, Ended ended);

  const uint32_t for_each_;
  const absl::Duration lasts_;
  size_t live_ = 0;
  absl::flat_hash_map<std::string, Grants> objects_;
  absl::btree_set<std::pair<Instant, std::string>> due_;  // when to look at which object
};

}  // namespace packice
