#include "packice/core/peer.h"

#include <numeric>

namespace packice {

uint64_t ObjectInfo::size() const {
  return std::accumulate(blob_sizes.begin(), blob_sizes.end(), uint64_t{0});
}

}  // namespace packice
