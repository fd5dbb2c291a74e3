// The flags of a node's part in a swarm.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/swarm_spec.h"

namespace packice::cli {

void AddSwarmFlags(CLI::App& command, SwarmSpec& spec);

}  // namespace packice::cli
