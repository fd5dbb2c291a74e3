// The JSON form of what a node tells of its tiers, within the answer to `stats`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codec_json.h"
#include "packice/core/peer.h"

namespace packice::json {

// A list of objects, one for each tier. Hit ratios are written beside what they are made of.
void AppendTiers(absl::Span<const TierStats> tiers, std::string& out);

// Reads one back. A count that is left out is 0: an older or newer node may count less. `corrupt`.
absl::StatusOr<std::vector<TierStats>> ReadTiers(const Node& list);

}  // namespace packice::json
