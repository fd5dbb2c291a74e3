// How near a swarm comes to the least time there could be (phi), in the simulator; the time is what
// the simulation itself costs.
#include "benchmark/benchmark.h"
#include "packice/p2p/swarm_simulation.h"

namespace packice {
namespace {

void BM_Swarm(benchmark::State& state) {
  SwarmSimulationOptions options;
  options.nodes = static_cast<uint32_t>(state.range(0));
  options.pieces = static_cast<uint32_t>(state.range(1));
  SwarmSimulationReport report;
  for (auto _ : state) report = SimulateSwarm(options);
  if (report.completed != report.wanted) state.SkipWithError("not everybody got the object");
  state.counters["phi"] = report.phi;
  state.counters["source_copies"] = report.source_copies;
  state.counters["last_s"] = absl::ToDoubleSeconds(report.last);
  state.counters["wasted_pieces"] =
      static_cast<double>(report.wasted_bytes) / static_cast<double>(options.piece_bytes);
}
BENCHMARK(BM_Swarm)->Args({16, 64})->Args({64, 64})->Args({64, 256})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace packice
