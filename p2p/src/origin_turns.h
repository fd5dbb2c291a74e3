// Which member of a fleet without trackers may read an object from the origin: those that the
// object ranks first, and whoever has asked for so long that they do not seem to want it.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <map>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/object_id.h"

namespace packice {

class OriginTurns {
 public:
  static constexpr size_t kAtOnce = 2;  // the ranks that need not wait
  static constexpr size_t kMaxAsked = 4096;
  static constexpr absl::Duration kGrant = absl::Seconds(60);
  static constexpr absl::Duration kTurn = absl::Seconds(2);
  static constexpr absl::Duration kLongestWait = absl::Seconds(20);
  static constexpr absl::Duration kAfterFailure = absl::Seconds(10);

  // The member, of that rank for the object, wants to read it. How long it is still to wait; zero:
  // it may.
  absl::Duration Ask(Instant now, const ObjectId& object_id, size_t rank);
  // It could not read it from the origin: others first.
  void Failed(Instant now, const ObjectId& object_id);
  // It is held.
  void Done(const ObjectId& object_id) { asked_.erase(object_id); }

 private:
  struct Asked {
    Instant first;
    Instant last;
    Instant not_before;
  };

  void ForgetOldest();

  std::map<ObjectId, Asked> asked_;
};

}  // namespace packice
