// How many pieces are on their way out at a time: one, so that it is soon whole at its reader, and
// more where readers take theirs more slowly than this node can send. Also how busy it all is.
//
// Of one node; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "packice/core/clock.h"
#include "packice/p2p/transfer_engine.h"
#include "rate_meter.h"

namespace packice {

class Uplink {
 public:
  struct Sending {
    LinkId link;
    uint32_t channel;
    uint32_t piece;
    uint64_t bytes;
    Instant since;
  };

  // Whether another piece may go now, and if not, when to look again although none has gone.
  bool HasRoom(Instant now) const;
  Instant RoomBy(Instant now) const;

  void Begin(const Sending& sending);
  // Its bytes; 0 if it was not on its way.
  uint64_t End(LinkId link, uint32_t channel, uint32_t piece, Instant now);
  void Drop(LinkId link, Instant now);  // all of it

  size_t sending() const { return sending_.size(); }
  bool Sends(LinkId link, uint32_t channel) const;
  bool SendsMost(LinkId link) const;  // as many pieces as one link may have on their way
  double Load(Instant now) const;     // 0 to 1

 private:
  static constexpr size_t kMaxSending = 64;
  static constexpr std::ptrdiff_t kMaxOfLink = 4;

  // After so long a piece is held up by its reader, and no longer counts.
  Instant HeldUpAt(const Sending& sending) const;
  void NoteBusy(Instant now);

  std::vector<Sending> sending_;
  double best_rate_ = 0;  // bytes a second, of single pieces of late
  double used_ = 1;       // of that, by all pieces together
  double patience_ = 1.1;
  Instant last_end_ = absl::ZeroDuration();
  Instant busy_since_ = absl::ZeroDuration();
  RateMeter busy_;  // seconds
};

}  // namespace packice
