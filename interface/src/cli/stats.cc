#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/transport/codec.h"
#include "packice/transport/protocol.h"

namespace packice::cli {
namespace {

std::string Percent(uint64_t part, uint64_t whole) {
  return absl::StrFormat("%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string Capacity(const PeerStats& peer) {
  if (!peer.capacity.has_value()) return "no limit";
  std::string text = SizeText(*peer.capacity);
  if (*peer.capacity > 0) {
    absl::StrAppend(&text, ", ", Percent(peer.bytes, *peer.capacity), " used");
  }
  return text;
}

std::string Hits(const PeerStats& peer) {
  std::string text = absl::StrCat(peer.hits);
  if (peer.hits > 0) absl::StrAppend(&text, ", ", Percent(peer.hits, peer.hits + peer.misses));
  return text;
}

std::string Format(const NodeStats& stats) {
  const PeerStats& peer = stats.peer;
  Table table({{"", Align::kLeft}, {"", Align::kLeft}});
  table.Add({"objects", peer.creating == 0 ? absl::StrCat(peer.objects)
                                           : absl::StrCat(peer.objects, ", ", peer.creating,
                                                          " of them being created")});
  table.Add({"bytes", SizeText(peer.bytes)});
  table.Add({"capacity", Capacity(peer)});
  table.Add({"hits", Hits(peer)});
  table.Add({"misses", absl::StrCat(peer.misses)});
  table.Add({"evictions", absl::StrCat(peer.evictions)});
  table.Add({"expired",
             absl::StrCat(peer.expired_objects, " objects, ", peer.expired_leases, " leases")});
  table.Add({"quarantined", absl::StrCat(peer.quarantined)});
  table.Add({"leases", absl::StrCat(peer.read_leases, " read, ", peer.create_leases, " create, ",
                                    peer.write_leases, " write")});
  table.Add({"waiting", absl::StrCat(peer.waiting)});
  table.Add({"connections", absl::StrCat(stats.connections, ", ", stats.refused, " refused")});
  table.Add({"descriptors", absl::StrCat(stats.descriptors)});
  table.Add({"uptime", DurationText(stats.uptime)});
  return table.Format(/*with_titles=*/false);
}

}  // namespace

absl::Status Stats(const StatsArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  const absl::StatusOr<NodeStats> stats = (*client)->Stats();
  if (!stats.ok()) return stats.status();
  if (!args.json) return Print(Format(*stats));
  StatsReply reply;
  reply.peer = stats->peer;
  reply.connections = stats->connections;
  reply.descriptors = stats->descriptors;
  reply.refused = stats->refused;
  reply.uptime = stats->uptime;
  return Print(FormatReply(reply) + "\n");
}

}  // namespace packice::cli
