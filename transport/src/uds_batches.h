// Several calls as one message, as far as the limits of a request allow. Thread-safe functions.
#pragma once

#include <vector>

#include "uds_channel.h"

namespace packice {

// The calls in their order, in as few messages as there can be; each gets its own answer.
std::vector<UdsChannel::Call> InBatches(std::vector<UdsChannel::Call> calls);

}  // namespace packice
