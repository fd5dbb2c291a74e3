// A node's part in a swarm as Prometheus' text format, and as what `stats` adds. Pure functions.
#pragma once

#include <string>

#include "cli/swarm_view.h"

namespace packice::cli {

// packice_swarm_*; what directories count stands in their own texts.
std::string SwarmMetricsText(const SwarmFigures& figures);

// {"address":...,"links":...,...}
std::string SwarmStatsJson(const Member& self, const SwarmFigures& figures);

}  // namespace packice::cli
