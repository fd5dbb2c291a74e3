#include "cli/swarm_metrics.h"

#include "absl/strings/str_cat.h"
#include "packice/transport/json_object.h"

namespace packice::cli {
namespace {

struct Row {
  const char* name;  // in stats; packice_swarm_NAME_total in metrics
  const char* help;
  uint64_t TransferCounters::*value;
};

constexpr Row kRows[] = {
    {"sent_bytes", "Bytes of pieces given to other nodes.", &TransferCounters::sent_bytes},
    {"received_bytes", "Bytes of pieces that came from other nodes and were right.",
     &TransferCounters::received_bytes},
    {"wasted_bytes", "Bytes of pieces that came twice or were not wanted any more.",
     &TransferCounters::wasted_bytes},
    {"corrupt_pieces", "Pieces that came with wrong bytes.", &TransferCounters::corrupt_pieces},
    {"downloads_started", "Objects whose copying began.", &TransferCounters::downloads_started},
    {"downloads_finished", "Objects that were copied.", &TransferCounters::downloads_finished},
    {"downloads_failed", "Objects whose copying failed or was given up.",
     &TransferCounters::downloads_failed},
    {"origin_copies", "Objects that came from the origin.", &TransferCounters::origin_copies},
    {"opens_served", "Times that another node began to read an object here.",
     &TransferCounters::opens_served},
    {"opens_refused", "Times that another node was refused an object here.",
     &TransferCounters::opens_refused},
    {"holders_banned", "Times that a node was left for its wrong bytes.",
     &TransferCounters::holders_banned},
};

uint64_t UnderWay(const TransferCounters& counters) {
  const uint64_t ended = counters.downloads_finished + counters.downloads_failed;
  return counters.downloads_started > ended ? counters.downloads_started - ended : 0;
}

void Append(std::string& out, absl::string_view name, absl::string_view help,
            absl::string_view type, uint64_t value) {
  absl::StrAppend(&out, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  absl::StrAppend(&out, name, " ", value, "\n");
}

}  // namespace

std::string SwarmMetricsText(const SwarmFigures& figures) {
  std::string out;
  for (const Row& row : kRows) {
    Append(out, absl::StrCat("packice_swarm_", row.name, "_total"), row.help, "counter",
           figures.transfers.*row.value);
  }
  Append(out, "packice_swarm_downloads", "Objects that are being copied to this node.", "gauge",
         UnderWay(figures.transfers));
  Append(out, "packice_swarm_links", "Links to other nodes that are open.", "gauge", figures.links);
  Append(out, "packice_swarm_members", "Members that are alive, this node among them.", "gauge",
         figures.members);
  return out;
}

std::string SwarmStatsJson(const Member& self, const SwarmFigures& figures) {
  JsonObject json;
  json.Text("address", self.address)
      .Text("gossip_address", self.gossip_address)
      .Text("zone", self.zone)
      .Integer("members", figures.members)
      .Integer("links", figures.links)
      .Integer("downloads", UnderWay(figures.transfers));
  for (const Row& row : kRows) json.Integer(row.name, figures.transfers.*row.value);
  return json.ToText();
}

}  // namespace packice::cli
