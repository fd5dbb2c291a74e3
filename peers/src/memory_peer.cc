#include "packice/peers/memory_peer.h"

#include <utility>

#include "packice/backends/memory_lease_table.h"

namespace packice {

std::unique_ptr<LocalPeer> MakeMemoryPeer(LocalPeerOptions options, MemoryBlobStoreOptions memory) {
  memory.clock = options.clock;
  memory.random = options.random;
  auto store = std::make_unique<MemoryBlobStore>(std::move(memory));
  auto leases = std::make_unique<MemoryLeaseTable>(*options.clock);
  return std::make_unique<LocalPeer>(std::move(store), std::move(leases), /*policy=*/nullptr,
                                     std::move(options));
}

}  // namespace packice
