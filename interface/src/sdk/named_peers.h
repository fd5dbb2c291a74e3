// The memory nodes of this process that have a name.
#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "packice/core/peer.h"

namespace packice::sdk {

// The one called `name`, made anew when nobody holds it any more. A forked child has its own.
// Thread-safe.
std::shared_ptr<Peer> NamedMemoryPeer(absl::string_view name);

}  // namespace packice::sdk
