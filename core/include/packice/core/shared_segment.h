// Memory that a node shares with its clients, and uses again: it holds the bytes of many sealed
// blobs, each for as long as somebody leases it or the node keeps it.
//
// Shared by the blobs that live in it. Immutable.
#pragma once

#include <cstdint>

#include "packice/core/unique_fd.h"

namespace packice {

struct SharedSegment {
  uint64_t id = 0;    // under 2^63; not 0; of this segment alone, among those of all nodes
  uint64_t size = 0;  // bytes
  // Only its node can write the memory: no other process that has this descriptor may write through
  // it or map it writable (fcntl(2), F_SEAL_FUTURE_WRITE).
  UniqueFd fd;
};

}  // namespace packice
