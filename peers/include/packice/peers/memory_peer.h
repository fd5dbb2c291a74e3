// A peer that keeps everything in memory: sealed memfds and leases in this process.
#pragma once

#include <memory>

#include "packice/backends/memory_blob_store.h"
#include "packice/peers/local_peer.h"

namespace packice {

// A LocalPeer over MemoryBlobStore and MemoryLeaseTable. `memory` goes by the options' clock and
// randomness.
std::unique_ptr<LocalPeer> MakeMemoryPeer(LocalPeerOptions options = {},
                                          MemoryBlobStoreOptions memory = {});

}  // namespace packice
