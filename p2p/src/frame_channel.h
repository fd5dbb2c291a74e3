// Which channel a frame belongs to.
#pragma once

#include <cstdint>

#include "absl/types/variant.h"
#include "packice/p2p/frame.h"

namespace packice {

inline uint32_t ChannelOf(const Frame& frame) {
  return absl::visit([](const auto& each) { return each.channel; }, frame);
}

}  // namespace packice
