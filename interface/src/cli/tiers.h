// What the arguments of `serve` mean as tiers.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands.h"
#include "cli/tier_spec.h"

namespace packice::cli {

// The hottest first; a single one is a node without tiers. `invalid_argument` for flags that do not
// go together, with the remedy.
absl::StatusOr<std::vector<TierSpec>> TiersOf(const ServeArgs& args);

// "mem", "fs", "tiered".
const char* ImplOf(const std::vector<TierSpec>& tiers);

}  // namespace packice::cli
