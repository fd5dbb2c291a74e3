// Which process this is, counted in forks. Thread-safe.
#pragma once

#include <cstdint>

namespace packice::sdk {

// Another number than before in a forked child. A load, no system call.
uint64_t ForkGeneration();

}  // namespace packice::sdk
