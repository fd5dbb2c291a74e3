#include "packice/peers/memory_peer.h"

#include <utility>

#include "packice/backends/memory_blob_store.h"
#include "packice/backends/memory_lease_table.h"

namespace packice {

std::unique_ptr<LocalPeer> MakeMemoryPeer(LocalPeerOptions options) {
  auto leases = std::make_unique<MemoryLeaseTable>(*options.clock);
  return std::make_unique<LocalPeer>(std::make_unique<MemoryBlobStore>(), std::move(leases),
                                     /*policy=*/nullptr, std::move(options));
}

}  // namespace packice
