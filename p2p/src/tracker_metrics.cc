#include "tracker_metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace packice {
namespace {

struct Metric {
  absl::string_view name;
  absl::string_view help;
  absl::string_view type;
  uint64_t TrackerStats::*value;
};

constexpr Metric kMetrics[] = {
    {"packice_tracker_nodes", "Nodes that announce.", "gauge", &TrackerStats::nodes},
    {"packice_tracker_objects", "Contents of objects that are held.", "gauge",
     &TrackerStats::objects},
    {"packice_tracker_holdings", "Holders of all objects.", "gauge", &TrackerStats::holdings},
    {"packice_tracker_watches", "Watches.", "gauge", &TrackerStats::watches},
    {"packice_tracker_origin_grants", "Nodes that may read an origin now.", "gauge",
     &TrackerStats::origin_grants},
    {"packice_tracker_announces_total", "Messages of nodes.", "counter", &TrackerStats::announces},
    {"packice_tracker_announced_objects_total", "Holdings in them.", "counter",
     &TrackerStats::announced_objects},
    {"packice_tracker_locates_total", "Questions for holders.", "counter", &TrackerStats::locates},
    {"packice_tracker_located_total", "Questions with a holder in the answer.", "counter",
     &TrackerStats::located},
    {"packice_tracker_reports_total", "Reports of holders and origins.", "counter",
     &TrackerStats::reports},
    {"packice_tracker_expired_nodes_total", "Nodes that fell silent.", "counter",
     &TrackerStats::expired_nodes},
};

}  // namespace

std::string TrackerMetricsText(const TrackerStats& stats) {
  std::string text;
  for (const Metric& metric : kMetrics) {
    absl::StrAppend(&text, "# HELP ", metric.name, " ", metric.help, "\n# TYPE ", metric.name, " ",
                    metric.type, "\n", metric.name, " ", stats.*metric.value, "\n");
  }
  absl::StrAppend(&text,
                  "# HELP packice_tracker_uptime_seconds Since the tracker started.\n"
                  "# TYPE packice_tracker_uptime_seconds gauge\n"
                  "packice_tracker_uptime_seconds ",
                  absl::ToDoubleSeconds(stats.uptime), "\n");
  return text;
}

}  // namespace packice
