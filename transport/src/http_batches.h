// Several calls of an HttpPeer as one request, which the node runs in their order. Used by
// HttpPeer.
#pragma once

#include <vector>

#include "http_channel.h"

namespace packice {

// As few calls as can be, in order, each no longer than a request may be; each answers what it
// stands for. None of `calls` may wait.
std::vector<HttpChannel::Call> InBatches(std::vector<HttpChannel::Call> calls);

}  // namespace packice
