#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/transport/codec.h"
#include "packice/transport/json_value.h"
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
  table.Add({"hit bytes", SizeText(peer.hit_bytes)});
  table.Add({"misses", absl::StrCat(peer.misses)});
  table.Add({"evictions", absl::StrCat(peer.evictions)});
  table.Add({"coldest",
             peer.coldest_age.has_value() ? DurationText(*peer.coldest_age) : std::string("-")});
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

std::string State(const TierStats& tier) {
  std::string text(TierStateName(tier.state));
  if (!tier.reason.empty()) absl::StrAppend(&text, ": ", Printable(tier.reason));
  return text;
}

std::string Room(const TierStats& tier) {
  if (!tier.capacity.has_value()) return "no limit";
  if (*tier.capacity == 0) return "0 B";
  return absl::StrCat(Percent(tier.bytes, *tier.capacity), " of ", SizeText(*tier.capacity));
}

std::string Ratio(uint64_t hit, uint64_t missed) {
  return hit + missed == 0 ? "-" : Percent(hit, hit + missed);
}

std::string Moves(uint64_t objects, uint64_t bytes) {
  return objects == 0 ? "0" : absl::StrCat(objects, ", ", SizeText(bytes));
}

// A column for each tier: there are few of them, and much to tell of each.
std::string FormatTiers(const std::vector<TierStats>& tiers) {
  std::vector<Column> columns = {{"tier", Align::kLeft}};
  for (const TierStats& tier : tiers) columns.push_back({Printable(tier.name), Align::kLeft});
  Table table(std::move(columns));
  const auto row = [&](const char* title, auto&& text) {
    std::vector<std::string> cells = {title};
    for (const TierStats& tier : tiers) cells.push_back(text(tier));
    table.Add(std::move(cells));
  };
  row("state", State);
  row("objects", [](const TierStats& tier) { return absl::StrCat(tier.objects); });
  row("bytes", [](const TierStats& tier) { return SizeText(tier.bytes); });
  row("capacity used", Room);
  row("hits", [](const TierStats& tier) { return absl::StrCat(tier.hits); });
  row("misses", [](const TierStats& tier) { return absl::StrCat(tier.misses); });
  row("request hit ratio", [](const TierStats& t) { return Ratio(t.hits, t.misses); });
  row("byte hit ratio", [](const TierStats& t) { return Ratio(t.hit_bytes, t.missed_bytes); });
  row("evictions", [](const TierStats& tier) { return absl::StrCat(tier.evictions); });
  row("demotions", [](const TierStats& t) { return Moves(t.demotions, t.demoted_bytes); });
  row("promotions", [](const TierStats& t) { return Moves(t.promotions, t.promoted_bytes); });
  row("queued", [](const TierStats& t) { return Moves(t.queued, t.queued_bytes); });
  row("moving", [](const TierStats& tier) { return absl::StrCat(tier.moving); });
  row("discards due", [](const TierStats& tier) { return absl::StrCat(tier.discards_due); });
  row("coldest", [](const TierStats& tier) {
    return tier.coldest_age.has_value() ? DurationText(*tier.coldest_age) : "-";
  });
  return table.Format();
}

// What a node of a swarm adds.
std::string FormatSwarm(const JsonValue& swarm) {
  constexpr absl::string_view kTexts[] = {"address", "gossip_address", "zone"};
  constexpr absl::string_view kCounts[] = {"members",
                                           "links",
                                           "downloads",
                                           "downloads_started",
                                           "downloads_finished",
                                           "downloads_failed",
                                           "origin_copies",
                                           "opens_served",
                                           "opens_refused",
                                           "corrupt_pieces",
                                           "holders_banned"};
  constexpr absl::string_view kSizes[] = {"sent_bytes", "received_bytes", "wasted_bytes"};
  Table table({{"swarm", Align::kLeft}, {"", Align::kLeft}});
  const auto row = [&](absl::string_view name, std::string value) {
    table.Add({absl::StrReplaceAll(name, {{"_", " "}}), std::move(value)});
  };
  for (const absl::string_view name : kTexts) {
    if (!swarm[name].text().empty()) row(name, Printable(swarm[name].text()));
  }
  for (const absl::string_view name : kCounts) row(name, std::string(swarm[name].text()));
  for (const absl::string_view name : kSizes) {
    row(name, SizeText(swarm[name].integer().value_or(0)));
  }
  return table.Format();
}

}  // namespace

absl::Status Stats(const StatsArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  const absl::StatusOr<NodeStats> stats = (*client)->Stats();
  if (!stats.ok()) return stats.status();
  if (!args.json) {
    std::string text = Format(*stats);
    if (!stats->peer.tiers.empty()) {
      absl::StrAppend(&text, "\n", FormatTiers(stats->peer.tiers));
    }
    const absl::StatusOr<JsonValue> more = JsonValue::Parse(stats->more_json);
    if (more.ok() && !(*more)["swarm"].is_null()) {
      absl::StrAppend(&text, "\n", FormatSwarm((*more)["swarm"]));
    }
    return Print(text);
  }
  StatsReply reply;
  reply.peer = stats->peer;
  reply.connections = stats->connections;
  reply.descriptors = stats->descriptors;
  reply.refused = stats->refused;
  reply.uptime = stats->uptime;
  reply.more = stats->more_json;
  return Print(FormatReply(reply) + "\n");
}

}  // namespace packice::cli
