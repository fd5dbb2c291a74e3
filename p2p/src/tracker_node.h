// A node that announces to a tracker, and all that it holds. Part of TrackerTable.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "packice/core/clock.h"

namespace packice {

class TrackerContent;

struct TrackerNode {
  std::string address;
  std::string zone;
  double load = 0;

  // Of its announces.
  uint64_t epoch = 0;
  uint64_t sequence = 0;  // of the last message taken
  bool in_full = false;   // between full_begin and full_end
  bool want_full = false;

  // A holding counts if its generation is not below `floor`. What a node says gets `generation`; so
  // all that it said before is gone at a stroke, and swept away later.
  uint32_t generation = 1;
  uint32_t floor = 1;
  bool alive = false;
  Instant last_heard;

  // Others said so of its uplink.
  Instant busy_until;
  Instant slow_until;

  // What it holds, each once, and what was not swept away yet. Not a vector: it grows without
  // moving, so no announce has to wait for the copy of millions.
  std::deque<TrackerContent*> contents;
  size_t unswept = 0;  // the first so many have to be looked at
  bool sweeping = false;
};

}  // namespace packice
