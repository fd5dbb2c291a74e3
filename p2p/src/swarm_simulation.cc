#include "packice/p2p/swarm_simulation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sim_network.h"
#include "sim_node.h"
#include "sim_tracker.h"
#include "sim_world.h"

namespace packice {
namespace {

class Simulation {
 public:
  explicit Simulation(const SwarmSimulationOptions& options);

  SwarmSimulationReport Run();

 private:
  void MakeManifest();
  void MakeNodes();
  void PlanFaults();
  void PlanCrash();
  void PlanPartition();
  int64_t WithinFaultWindow();
  uint32_t RandomNode() { return 1 + static_cast<uint32_t>(world_.random.Below(options_.nodes)); }
  bool AllHaveIt() const;
  void Finish();
  SwarmSimulationReport Report() const;

  const SwarmSimulationOptions& options_;
  SimWorld world_;
  SimNetwork network_;
  SimTracker tracker_;
  std::vector<std::unique_ptr<SimNode>> nodes_;  // the first is the source, the last are liars
};

Simulation::Simulation(const SwarmSimulationOptions& options)
    : options_(options), world_(options), network_(world_), tracker_(world_) {
  MakeManifest();
  MakeNodes();
  PlanFaults();
}

void Simulation::MakeManifest() {
  Manifest manifest;
  manifest.piece_size = options_.piece_bytes;
  manifest.blob_sizes = {options_.piece_bytes * options_.pieces};
  manifest.piece_digests.resize(options_.pieces * DigestBytes(manifest.hash), 'x');
  world_.digest = manifest.Digest();
  world_.manifest = std::make_shared<const Manifest>(std::move(manifest));
}

void Simulation::MakeNodes() {
  for (uint32_t i = 0; i <= options_.nodes + options_.liars; ++i) {
    const uint32_t lies = i > options_.nodes ? i - options_.nodes : 0;
    const SimNode::Role role = lies == 0       ? SimNode::Role::kHonest
                               : lies % 2 == 1 ? SimNode::Role::kWrongBytes
                                               : SimNode::Role::kSilent;
    const bool slow = i > 0 && i <= options_.slow_nodes;
    nodes_.push_back(
        std::make_unique<SimNode>(world_, network_, tracker_, i, role, slow ? 0.1 : 1.0));
  }
  for (const auto& node : nodes_) node->Boot();
  nodes_[0]->HaveAll();
  // What is announced is known when the first node asks.
  const int64_t start = 2 * world_.Latency();
  for (uint32_t i = 1; i <= options_.nodes; ++i) {
    const double spread = absl::ToDoubleSeconds(options_.arrival_spread) * world_.random.Fraction();
    world_.queue.At(start + static_cast<int64_t>(spread * 1e9), [this, i] { nodes_[i]->Want(); });
  }
}

int64_t Simulation::WithinFaultWindow() {
  return static_cast<int64_t>(absl::ToDoubleSeconds(options_.fault_window) *
                              world_.random.Fraction() * 1e9);
}

void Simulation::PlanFaults() {
  for (uint32_t i = 0; i < options_.link_breaks; ++i) {
    world_.queue.At(WithinFaultWindow(), [this] { network_.BreakOne(); });
  }
  for (uint32_t i = 0; i < options_.crashes; ++i) PlanCrash();
  for (uint32_t i = 0; i < options_.partitions; ++i) PlanPartition();
}

void Simulation::PlanCrash() {
  world_.queue.At(WithinFaultWindow(), [this, victim = RandomNode()] {
    SimNode& node = *nodes_[victim];
    if (!node.running()) return;
    node.Crash();
    world_.queue.After(static_cast<int64_t>(1e9 * world_.random.Fraction()), [&node] {
      if (!node.running()) node.Boot();
    });
  });
}

void Simulation::PlanPartition() {
  world_.queue.At(WithinFaultWindow(), [this] {
    if (!world_.side.empty()) return;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      world_.side.push_back(static_cast<uint8_t>(world_.random.Below(2)));
    }
    network_.BreakCut();
    const double seconds = absl::ToDoubleSeconds(options_.partition_time);
    world_.queue.After(static_cast<int64_t>(seconds * 1e9 * world_.random.Fraction()),
                       [this] { world_.side.clear(); });
  });
}

bool Simulation::AllHaveIt() const {
  return std::all_of(nodes_.begin(), nodes_.begin() + options_.nodes + 1,
                     [](const auto& node) { return node->sealed() && node->running(); });
}

SwarmSimulationReport Simulation::Run() {
  const int64_t limit = absl::ToInt64Nanoseconds(options_.limit);
  uint64_t steps = 0;
  // Not after each step: that would be the most costly thing of all.
  while (world_.queue.Step(limit)) {
    if (++steps % 1024 == 0 && AllHaveIt()) break;
  }
  SwarmSimulationReport report = Report();
  Finish();
  report.events = world_.queue.done();
  report.trace_hash = world_.trace_hash;
  report.violations.assign(world_.violations.begin(), world_.violations.end());
  return report;
}

// Nobody asks any more: what was opened must be closed by and by.
void Simulation::Finish() {
  if (!AllHaveIt()) {
    world_.Violation("not everybody has it in the end");
    return;
  }
  const absl::Duration idle = options_.transfer.idle_link;
  const Instant until = world_.queue.Now() + 2 * idle + absl::Seconds(10);
  while (world_.queue.Step(absl::ToInt64Nanoseconds(until))) {
  }
  for (const auto& node : nodes_) node->CheckNothingIsLeft();
  if (network_.up() != 0) world_.Violation("there are links left");
}

SwarmSimulationReport Simulation::Report() const {
  SwarmSimulationReport report;
  std::vector<absl::Duration> times;
  for (uint32_t i = 1; i <= options_.nodes; ++i) {
    if (nodes_[i]->sealed()) times.push_back(nodes_[i]->completed_at());
  }
  report.wanted = options_.nodes;
  report.completed = static_cast<uint32_t>(times.size());
  for (const auto& node : nodes_) {
    report.wasted_bytes += node->wasted_bytes();
    report.banned += node->banned();
    report.failed_fetches += node->failed_fetches();
  }
  report.source_copies = static_cast<double>(nodes_[0]->pieces_sent()) / options_.pieces;
  report.max_queued_events = world_.queue.max_size();
  report.max_links = network_.max_up();
  if (times.empty()) return report;
  std::sort(times.begin(), times.end());
  report.median = times[times.size() / 2];
  report.p99 = times[times.size() * 99 / 100];
  report.last = times.back();
  const absl::Duration piece_time = absl::Seconds(static_cast<double>(options_.piece_bytes) /
                                                  std::min(options_.up_rate, options_.down_rate));
  report.phi =
      absl::FDivDuration(LeastSwarmTime(options_.nodes, options_.pieces, piece_time), report.last);
  return report;
}

}  // namespace

absl::Duration LeastSwarmTime(uint32_t nodes, uint32_t pieces, absl::Duration piece_time) {
  return piece_time * (pieces + std::floor(std::log2(static_cast<double>(nodes))));
}

SwarmSimulationReport SimulateSwarm(const SwarmSimulationOptions& options) {
  return Simulation(options).Run();
}

}  // namespace packice
