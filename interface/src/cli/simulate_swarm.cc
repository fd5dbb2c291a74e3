#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/p2p/gossip_simulation.h"
#include "packice/p2p/manifest.h"
#include "packice/p2p/swarm_simulation.h"
#include "packice/transport/codec.h"
#include "packice/transport/json_object.h"

namespace packice::cli {
namespace {

// When crashes begin, and how long one is told from the next by.
constexpr absl::Duration kFirstCrash = absl::Seconds(5);
constexpr absl::Duration kBetweenCrashes = absl::Seconds(2);

absl::Status Invalid(absl::string_view message) {
  return MakeError(ErrorKind::kInvalidArgument, message);
}

std::string Hash(uint64_t hash) { return absl::StrFormat("%016x", hash); }

std::string SecondsText(absl::Duration duration) {
  return absl::StrFormat("%.3f s", absl::ToDoubleSeconds(duration));
}

// --- Pieces.

absl::StatusOr<SwarmSimulationOptions> SwarmOptionsOf(const SimulateSwarmArgs& args) {
  if (args.loss > 0 || args.duration.has_value()) {
    return Invalid(
        "--loss and --duration are for --gossip; pieces go over TCP, until all have them");
  }
  if (args.piece_size < Manifest::kMinPieceBytes || args.piece_size > Manifest::kMaxPieceBytes) {
    return Invalid(absl::StrCat("--piece-size is ", SizeText(Manifest::kMinPieceBytes), " to ",
                                SizeText(Manifest::kMaxPieceBytes)));
  }
  if (args.liars >= args.nodes) return Invalid("there must be more --nodes than --liars");
  SwarmSimulationOptions options;
  options.nodes = args.nodes;
  options.pieces = args.pieces;
  options.piece_bytes = args.piece_size;
  options.seed = args.seed;
  options.up_rate = options.down_rate = static_cast<double>(args.rate);
  if (args.latency.has_value()) options.latency = *args.latency;
  options.zones = args.zones;
  options.crashes = args.crashes;
  options.link_breaks = args.link_breaks;
  options.partitions = args.partitions;
  options.slow_nodes = args.slow_nodes;
  options.liars = args.liars;
  options.tracker_outage = args.tracker_outage;
  // From when all have asked for the first time.
  if (args.tracker_outage > absl::ZeroDuration()) options.tracker_outage_at = absl::Seconds(1);
  return options;
}

std::string Json(const SimulateSwarmArgs& args, const SwarmSimulationReport& report) {
  std::vector<std::string> violations;
  for (const std::string& each : report.violations) violations.push_back(FormatString(each));
  return JsonObject()
      .Integer("nodes", args.nodes)
      .Integer("pieces", args.pieces)
      .Integer("piece_size", args.piece_size)
      .Integer("seed", args.seed)
      .Integer("wanted", report.wanted)
      .Integer("completed", report.completed)
      .Seconds("median_seconds", report.median)
      .Seconds("p99_seconds", report.p99)
      .Seconds("last_seconds", report.last)
      .Number("phi", report.phi)
      .Number("source_copies", report.source_copies)
      .Integer("wasted_bytes", report.wasted_bytes)
      .Integer("banned", report.banned)
      .Integer("failed_fetches", report.failed_fetches)
      .Integer("events", report.events)
      .Integer("max_links", report.max_links)
      .Text("trace_hash", Hash(report.trace_hash))
      .List("violations", violations)
      .ToText();
}

std::string Text(const SimulateSwarmArgs& args, const SwarmSimulationReport& report) {
  Table table({{"", Align::kLeft}, {"", Align::kLeft}});
  table.Add({"object", absl::StrCat(SizeText(args.pieces * args.piece_size), " in ", args.pieces,
                                    " pieces")});
  table.Add({"nodes", absl::StrCat(report.completed, " of ", report.wanted, " have it")});
  table.Add({"half of them after", SecondsText(report.median)});
  table.Add({"99 % after", SecondsText(report.p99)});
  table.Add({"all after", SecondsText(report.last)});
  table.Add({"least time, over that", absl::StrFormat("%.3f", report.phi)});
  table.Add({"copies from the source", absl::StrFormat("%.2f", report.source_copies)});
  table.Add({"bytes for nothing", SizeText(report.wasted_bytes)});
  table.Add({"holders banned", absl::StrCat(report.banned)});
  table.Add({"fetches tried again", absl::StrCat(report.failed_fetches)});
  table.Add({"links at most", absl::StrCat(report.max_links)});
  table.Add({"trace", Hash(report.trace_hash)});
  return table.Format(/*with_titles=*/false);
}

absl::Status Judge(const SwarmSimulationReport& report) {
  if (!report.violations.empty()) {
    return MakeError(ErrorKind::kInternal,
                     absl::StrCat("what must hold did not: ", report.violations.front()));
  }
  if (report.completed == report.wanted) return absl::OkStatus();
  return MakeError(ErrorKind::kTimeout, absl::StrCat(report.wanted - report.completed,
                                                     " nodes have not got the object in time"));
}

absl::Status SimulatePieces(const SimulateSwarmArgs& args) {
  const absl::StatusOr<SwarmSimulationOptions> options = SwarmOptionsOf(args);
  if (!options.ok()) return options.status();
  const SwarmSimulationReport report = packice::SimulateSwarm(*options);
  absl::Status printed = Print(args.json ? Json(args, report) + "\n" : Text(args, report));
  return printed.ok() ? Judge(report) : printed;
}

// --- Gossip.

absl::StatusOr<GossipSimulationOptions> GossipOptionsOf(const SimulateSwarmArgs& args) {
  if (args.liars > 0 || args.tracker_outage > absl::ZeroDuration() || args.slow_nodes > 0 ||
      args.link_breaks > 0 || args.partitions > 0) {
    return Invalid(
        "--liars, --tracker-outage, --slow-nodes, --link-breaks and --partitions are for pieces, "
        "not for --gossip");
  }
  if (args.crashes >= args.nodes) return Invalid("there must be more --nodes than --crashes");
  GossipSimulationOptions options;
  options.nodes = args.nodes;
  options.seed = args.seed;
  options.loss = args.loss;
  options.duration = args.duration.value_or(options.duration);
  if (args.latency.has_value()) {
    options.min_latency = std::min(options.min_latency, *args.latency);
    options.max_latency = *args.latency;
  }
  for (uint32_t i = 0; i < args.crashes; ++i) {
    // Spread over the fleet, the first ones spared that newcomers ask.
    const size_t node = args.nodes - 1 - i;
    options.crashes.push_back({node, kFirstCrash + i * kBetweenCrashes, absl::nullopt});
  }
  return options;
}

struct Spread {
  double median = 0;
  double most = 0;
};

Spread SpreadOf(const GossipSimulationReport& report,
                double GossipSimulationReport::Detection::*when) {
  std::vector<double> times;
  for (const auto& detection : report.detections) times.push_back(detection.*when);
  if (times.empty()) return {};
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.back()};
}

std::string Json(const SimulateSwarmArgs& args, const GossipSimulationReport& report) {
  using Detection = GossipSimulationReport::Detection;
  const auto spread = [&](double Detection::*when) {
    const Spread found = SpreadOf(report, when);
    return JsonObject().Number("median", found.median).Number("most", found.most).ToText();
  };
  return JsonObject()
      .Integer("nodes", args.nodes)
      .Integer("seed", args.seed)
      .Integer("crashes", report.detections.size())
      .Json("suspected_after_intervals", spread(&Detection::first_suspected))
      .Json("dead_after_intervals", spread(&Detection::first_dead))
      .Json("known_to_all_after_intervals", spread(&Detection::known_to_all))
      .Integer("false_deaths", report.false_deaths)
      .Integer("suspicions", report.suspicions)
      .Integer("refutations", report.refutations)
      .Integer("messages", report.messages)
      .Number("bytes_per_node_second", report.bytes_per_node_second)
      .Integer("largest_message", report.largest_message)
      .Flag("agreed", report.agreed)
      .Text("trace_hash", Hash(report.trace_hash))
      .ToText();
}

std::string Text(const SimulateSwarmArgs& args, const GossipSimulationReport& report) {
  using Detection = GossipSimulationReport::Detection;
  Table table({{"", Align::kLeft}, {"", Align::kLeft}});
  const auto intervals = [&](const char* title, double Detection::*when) {
    const Spread found = SpreadOf(report, when);
    table.Add(
        {title, absl::StrFormat("%.1f, at most %.1f probe intervals", found.median, found.most)});
  };
  table.Add(
      {"members", absl::StrCat(args.nodes, ", ", report.detections.size(), " of them crash")});
  if (!report.detections.empty()) {
    intervals("suspected after", &Detection::first_suspected);
    intervals("dead after", &Detection::first_dead);
    intervals("known to all after", &Detection::known_to_all);
  }
  table.Add({"taken for dead wrongly", absl::StrCat(report.false_deaths)});
  table.Add({"suspicions", absl::StrCat(report.suspicions, ", ", report.refutations, " refuted")});
  table.Add({"messages", absl::StrCat(report.messages)});
  table.Add({"each member sends",
             absl::StrCat(SizeText(static_cast<uint64_t>(report.bytes_per_node_second)), "/s")});
  table.Add({"largest message", SizeText(report.largest_message)});
  table.Add({"agreed at the end", report.agreed ? "yes" : "no: " + Printable(report.disagreement)});
  table.Add({"trace", Hash(report.trace_hash)});
  return table.Format(/*with_titles=*/false);
}

absl::Status SimulateMembership(const SimulateSwarmArgs& args) {
  const absl::StatusOr<GossipSimulationOptions> options = GossipOptionsOf(args);
  if (!options.ok()) return options.status();
  const GossipSimulationReport report = SimulateGossip(*options);
  return Print(args.json ? Json(args, report) + "\n" : Text(args, report));
}

}  // namespace

absl::Status SimulateSwarm(const SimulateSwarmArgs& args) {
  return args.gossip ? SimulateMembership(args) : SimulatePieces(args);
}

}  // namespace packice::cli
