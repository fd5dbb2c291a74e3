// What the parts of a simulated swarm share. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "packice/p2p/manifest.h"
#include "packice/p2p/swarm_simulation.h"
#include "random_stream.h"
#include "sim_queue.h"

namespace packice {

struct SimWorld {
  explicit SimWorld(const SwarmSimulationOptions& simulation)
      : options(simulation), random(simulation.seed) {}

  void Trace(uint64_t a, uint64_t b, uint64_t c) {
    for (uint64_t value : {static_cast<uint64_t>(queue.nanoseconds()), a, b, c}) {
      trace_hash = (trace_hash ^ value) * 0x100000001b3;
    }
  }
  // Each text once, and not too many.
  void Violation(std::string what) {
    if (violations.size() < 20) violations.insert(std::move(what));
  }
  int64_t Latency() const { return absl::ToInt64Nanoseconds(options.latency); }
  // Whether two nodes are on different sides of a partition.
  bool Cut(uint32_t a, uint32_t b) const { return !side.empty() && side[a] != side[b]; }

  const SwarmSimulationOptions& options;
  SimQueue queue;
  RandomStream random;
  ObjectId object_id = *ObjectId::Parse("simulated");
  std::shared_ptr<const Manifest> manifest;
  ContentDigest digest;
  std::vector<uint8_t> side;  // of each node, while there is a partition
  uint64_t trace_hash = 0xcbf29ce484222325;
  std::set<std::string> violations;
};

}  // namespace packice
