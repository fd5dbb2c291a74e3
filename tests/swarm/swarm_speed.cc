// How fast a swarm of real nodes spreads an object, against how fast it could be: each node on a
// host of its own, with a capped cable.
//
// Usage: swarm_speed PROGRAM [--nodes N] [--mib F] [--mbit B] [--rounds R] [--gossip] [--json]
//
// phi = T_opt / T_last. T_opt is the larger of what the cables allow,
// (F/b) * (1 + floor(log2 N)/M) for N readers and M pieces (Mundinger, Weber, Weiss: Optimal
// scheduling of peer-to-peer file dissemination, 2008), and of what the machine allows,
// N*F*c/cores, with c the CPU seconds that a byte costs from the source's memory to a reader's:
// measured in the run itself, over all processes of the fleet.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "fleet.h"
#include "packice/core/error.h"
#include "swarm_object.h"

namespace packice {
namespace {

struct Arguments {
  std::string program;
  uint64_t nodes = 8;
  uint64_t mib = 256;
  uint64_t mbit = 200;
  uint64_t rounds = 1;
  bool gossip = false;
  bool json = false;
};

struct Round {
  std::vector<double> seconds;  // of each reader, the fastest first
  uint64_t pieces = 0;
  double source_copies = 0;  // over its cable, with headers
  double cpu_seconds = 0;    // of all nodes
  double cable_bound = 0;    // seconds
  double cpu_bound = 0;
  double last() const { return seconds.back(); }
  double phi() const { return std::max(cable_bound, cpu_bound) / last(); }
};

absl::StatusOr<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  const absl::Status wrong = MakeError(
      ErrorKind::kInvalidArgument,
      "usage: swarm_speed PROGRAM [--nodes N] [--mib F] [--mbit B] [--rounds R] [--gossip] "
      "[--json]");
  if (argc < 2) return wrong;
  arguments.program = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--gossip" || flag == "--json") {
      (flag == "--json" ? arguments.json : arguments.gossip) = true;
      continue;
    }
    uint64_t* const number = flag == "--nodes"    ? &arguments.nodes
                             : flag == "--mib"    ? &arguments.mib
                             : flag == "--mbit"   ? &arguments.mbit
                             : flag == "--rounds" ? &arguments.rounds
                                                  : nullptr;
    if (number == nullptr || ++i == argc || !absl::SimpleAtoi(argv[i], number) || *number == 0) {
      return wrong;
    }
  }
  if (arguments.nodes < 2) return wrong;
  return arguments;
}

// User and system time of a process, all its threads.
double CpuSeconds(pid_t pid) {
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::string text;
  std::getline(stat, text);
  // Behind the name, which may have blanks: the 12th and 13th fields.
  const std::vector<std::string> words =
      absl::StrSplit(text.substr(text.rfind(')') + 2), ' ', absl::SkipEmpty());
  double ticks = 0;
  for (const size_t field : {size_t{11}, size_t{12}}) {
    double value = 0;
    if (field < words.size() && absl::SimpleAtod(words[field], &value)) ticks += value;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double CpuSeconds(Fleet& fleet) {
  double seconds = 0;
  for (size_t i = 0; i < fleet.size(); ++i) seconds += CpuSeconds(fleet.node(i).pid());
  return seconds;
}

absl::StatusOr<uint64_t> PiecesOf(Fleet& fleet, const SwarmObject& object) {
  const absl::StatusOr<std::string> located = fleet.node(1).Ask({"locate", object.id});
  if (!located.ok()) return located.status();
  return NumberIn(*located, "pieces");
}

absl::StatusOr<Round> Run(const Arguments& arguments, Fleet& fleet, uint64_t number) {
  const SwarmObject object = {absl::StrCat("speed/", number), arguments.mib << 20, number};
  const uint64_t digest = DigestOf(object);
  if (absl::Status status = PutObject(fleet.node(0).socket(), object); !status.ok()) return status;
  Round round;
  absl::StatusOr<uint64_t> pieces = PiecesOf(fleet, object);
  // Not known before the directory knows the object.
  for (int i = 0; i < 100 && (!pieces.ok() || *pieces == 0); ++i) {
    absl::SleepFor(absl::Milliseconds(50));
    pieces = PiecesOf(fleet, object);
  }
  if (!pieces.ok()) return pieces.status();
  round.pieces = *pieces;

  const auto sent = [&] { return fleet.lab().TrafficOf(fleet.node(0).host())->sent; };
  const uint64_t sent_before = sent();
  const double cpu_before = CpuSeconds(fleet);
  const absl::Time start = absl::Now();
  std::vector<std::future<absl::StatusOr<ReadObject>>> readings;
  for (size_t i = 1; i < fleet.size(); ++i) {
    readings.push_back(std::async(std::launch::async, [&object, &fleet, i] {
      return GetObject(fleet.node(i).socket(), object.id, absl::Minutes(5));
    }));
  }
  for (auto& reading : readings) {
    const absl::StatusOr<ReadObject> read = reading.get();
    if (!read.ok()) return read.status();
    if (read->digest != digest) return MakeError(ErrorKind::kCorrupt, "a reader has other bytes");
    round.seconds.push_back(absl::ToDoubleSeconds(read->granted - start));
  }
  std::sort(round.seconds.begin(), round.seconds.end());
  const double bytes = static_cast<double>(object.size);
  round.source_copies = static_cast<double>(sent() - sent_before) / bytes;
  round.cpu_seconds = CpuSeconds(fleet) - cpu_before;
  const uint64_t readers = readings.size();
  const double rounds = std::bit_width(readers) - 1;  // floor(log2 N)
  const double copy = bytes * 8 / (static_cast<double>(arguments.mbit) * 1e6);
  round.cable_bound = copy * (1 + rounds / static_cast<double>(round.pieces));
  round.cpu_bound = round.cpu_seconds / std::thread::hardware_concurrency();
  return round;
}

struct Column {
  std::string name;
  std::string value;
};

std::vector<Column> ColumnsOf(const Arguments& arguments, const Round& round) {
  const auto number = [](double value) { return absl::StrFormat("%.3f", value); };
  const size_t median = (round.seconds.size() - 1) / 2;
  return {{"nodes", absl::StrCat(arguments.nodes)},
          {"mib", absl::StrCat(arguments.mib)},
          {"mbit", absl::StrCat(arguments.mbit)},
          {"pieces", absl::StrCat(round.pieces)},
          {"first_seconds", number(round.seconds.front())},
          {"median_seconds", number(round.seconds[median])},
          {"last_seconds", number(round.last())},
          {"cable_bound_seconds", number(round.cable_bound)},
          {"cpu_bound_seconds", number(round.cpu_bound)},
          {"phi", number(round.phi())},
          {"source_copies", number(round.source_copies)},
          {"cpu_seconds", number(round.cpu_seconds)}};
}

void PrintAsJson(const std::vector<Column>& columns) {
  const std::string members =
      absl::StrJoin(columns, ",", [](std::string* out, const Column& column) {
        absl::StrAppend(out, "\"", column.name, "\":", column.value);
      });
  std::printf("{%s}\n", members.c_str());
}

void PrintAsTable(const std::vector<Column>& columns, bool with_head) {
  for (const bool head : {true, false}) {
    if (head && !with_head) continue;
    for (const Column& column : columns) {
      const int width = static_cast<int>(std::max<size_t>(column.name.size(), 5));
      std::printf("%*s ", width, (head ? column.name : column.value).c_str());
    }
    std::printf("\n");
  }
}

absl::Status Measure(const Arguments& arguments) {
  FleetOptions options;
  options.program = arguments.program;
  options.bits_per_second = arguments.mbit * 1'000'000;
  options.tracker = !arguments.gossip;
  options.gossip = arguments.gossip;
  absl::StatusOr<std::unique_ptr<Fleet>> fleet = Fleet::Make(options);
  if (!fleet.ok()) return fleet.status();
  for (uint64_t i = 0; i < arguments.nodes; ++i) {
    if (absl::Status status = (*fleet)->AddNode().status(); !status.ok()) return status;
  }
  for (uint64_t number = 1; number <= arguments.rounds; ++number) {
    const absl::StatusOr<Round> round = Run(arguments, **fleet, number);
    if (!round.ok()) {
      std::fprintf(stderr, "%s", (*fleet)->Logs().c_str());
      return round.status();
    }
    const std::vector<Column> columns = ColumnsOf(arguments, *round);
    if (arguments.json) {
      PrintAsJson(columns);
    } else {
      PrintAsTable(columns, /*with_head=*/number == 1);
    }
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) {
  const absl::StatusOr<packice::Arguments> arguments = packice::Parse(argc, argv);
  const absl::Status status = arguments.ok() ? packice::Measure(*arguments) : arguments.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "swarm_speed: %s: %s\n",
               std::string(packice::InfoOf(packice::KindOf(status)).name).c_str(),
               std::string(status.message()).c_str());
  return packice::InfoOf(packice::KindOf(status)).exit_code;
}
