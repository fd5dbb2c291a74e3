// A tracker's figures as text for Prometheus.
#pragma once

#include <string>

#include "packice/p2p/tracker_server.h"

namespace packice {

std::string TrackerMetricsText(const TrackerStats& stats);

}  // namespace packice
