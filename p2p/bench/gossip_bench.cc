// How a fleet finds a crash, and what its membership costs: figures of the simulation as counters.
// The argument is the number of members. A hundred are the default; PACKICE_BENCH_MEMBERS=10000
// adds as many, which take 3 GB and a minute.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "packice/p2p/gossip_simulation.h"

namespace packice {
namespace {

void BM_Crashes(benchmark::State& state) {
  GossipSimulationOptions options;
  options.nodes = static_cast<size_t>(state.range(0));
  options.duration = absl::Seconds(90);
  constexpr size_t kCrashes = 20;
  for (size_t i = 0; i < kCrashes; ++i) {
    options.crashes.push_back({(i + 1) * options.nodes / (kCrashes + 1),
                               absl::Seconds(5) + i * absl::Milliseconds(370), absl::nullopt});
  }
  GossipSimulationReport report;
  for (auto _ : state) {
    report = SimulateGossip(options);
    ++options.seed;
  }
  double probed = 0;
  double suspected = 0;
  double dead = 0;
  double known = 0;
  for (const auto& detection : report.detections) {
    // In whole periods, as SWIM counts: 1 / (1 - 1/e) = 1.58 is expected.
    probed += std::ceil(detection.first_probed) / kCrashes;
    suspected += detection.first_suspected / kCrashes;
    dead += detection.first_dead / kCrashes;
    known = std::max(known, detection.known_to_all);
  }
  state.counters["periods_to_probe"] = probed;
  state.counters["periods_to_suspicion"] = suspected;
  state.counters["periods_to_death"] = dead;
  state.counters["periods_till_all_know_worst"] = known;
  state.counters["bytes_per_node_second"] = report.bytes_per_node_second;
  state.counters["false_deaths"] = static_cast<double>(report.false_deaths);
  state.counters["agreed"] = report.agreed ? 1 : 0;
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->Iterations(1)->Arg(100);
  int members = 0;
  const char* chosen = std::getenv("PACKICE_BENCH_MEMBERS");
  if (chosen != nullptr && absl::SimpleAtoi(chosen, &members)) benchmark->Arg(members);
}
BENCHMARK(BM_Crashes)->Apply(Sizes);

}  // namespace
}  // namespace packice
