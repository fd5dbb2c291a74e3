// The flags of tiers, and the file that may stand for flags.
#pragma once

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "cli/commands.h"

namespace packice::cli {

// --hot, --cold and what belongs to them.
void AddTierFlags(CLI::App& command, ServeArgs& args);

// Gives the options of `command` what the file `args.config` says, where neither the command line
// nor the environment has; the [[tier]] tables go to `args.tiers`. Notes in `args.tier_flags` which
// flags of tiers were given, by whomever. To be called once, after parsing. `invalid_argument` and
// `unsupported`, with file and line.
absl::Status ApplyConfig(CLI::App& command, ServeArgs& args);

}  // namespace packice::cli
