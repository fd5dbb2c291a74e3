// How many descriptors this process has open.
#pragma once

#include <cstdint>

namespace packice {

uint64_t OpenDescriptors();

}  // namespace packice
