// A peer that keeps everything in memory: sealed memfds and leases in this process.
#pragma once

#include <memory>

#include "packice/peers/local_peer.h"

namespace packice {

// A LocalPeer over MemoryBlobStore and MemoryLeaseTable.
std::unique_ptr<LocalPeer> MakeMemoryPeer(LocalPeerOptions options = {});

}  // namespace packice
