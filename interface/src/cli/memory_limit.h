// How much memory this process may use.
#pragma once

#include <cstdint>
#include <string>

namespace packice::cli {

// Bytes: what the machine has, or the least that a control group of this process (v2 or v1) allows.
// The roots are arguments so that tests can lay out their own.
uint64_t MemoryLimit(const std::string& proc = "/proc",
                     const std::string& cgroups = "/sys/fs/cgroup");

}  // namespace packice::cli
