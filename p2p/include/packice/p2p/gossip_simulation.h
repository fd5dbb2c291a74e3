// A fleet in one process and in no time: many members of the production membership code over a
// simulated network, event by event, with loss, latency, stalls, crashes and partitions.
//
// Deterministic: the same options give the same report on each platform, down to the trace hash.
// Takes about 30 bytes for each pair of nodes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace packice {

// All times are from the start of the simulation.
struct GossipSimulationOptions {
  size_t nodes = 16;
  uint64_t seed = 1;
  absl::Duration duration = absl::Seconds(60);
  // Begins as a fleet that knows itself. Otherwise all are started at once and join the first
  // three.
  bool joined = true;

  double loss = 0;  // of each message, 0 to 1
  absl::Duration loss_until = absl::InfiniteDuration();
  absl::Duration min_latency = absl::Milliseconds(1);
  absl::Duration max_latency = absl::Milliseconds(10);

  absl::Duration probe_interval = absl::Seconds(1);
  absl::Duration exchange_interval = absl::Seconds(30);
  // As MembershipOptions: how long a suspicion lasts at least.
  absl::Duration patience = absl::Seconds(12);
  // Each node has news of itself (load, filter) so often.
  absl::Duration news_interval = absl::InfiniteDuration();

  struct Crash {
    size_t node = 0;
    absl::Duration at;
    absl::optional<absl::Duration> restart_after;  // as a new process at the same address
  };
  struct Leave {
    size_t node = 0;
    absl::Duration at;
  };
  // It runs nothing; what is sent to it waits.
  struct Stall {
    size_t node = 0;
    absl::Duration at;
    absl::Duration lasts;
  };
  // The first `size` nodes and the others do not hear each other.
  struct Partition {
    size_t size = 0;
    absl::Duration at;
    absl::Duration lasts;
  };
  std::vector<Crash> crashes;
  std::vector<Leave> leaves;
  std::vector<Stall> stalls;
  std::vector<Partition> partitions;
};

struct GossipSimulationReport {
  // Of a crash without restart, each in probe intervals since; infinite: not.
  struct Detection {
    size_t node = 0;
    double first_probed = 0;
    double first_suspected = 0;
    double first_dead = 0;
    double known_to_all = 0;
  };
  std::vector<Detection> detections;

  // How often somebody took a running node for dead, though no partition was or had been in the
  // minute before.
  uint64_t false_deaths = 0;
  uint64_t suspicions = 0;
  uint64_t refutations = 0;

  uint64_t messages = 0;
  uint64_t bytes = 0;                  // as messages take on the wire, without transport headers
  double bytes_per_node_second = 0;    // sent
  uint64_t largest_message = 0;        // bytes; of all but exchanges of state
  uint64_t largest_state_message = 0;  // bytes

  // At the end each running node knows all running ones as alive, and no other one as present.
  bool agreed = false;
  std::string disagreement;  // an example
  uint64_t trace_hash = 0;   // over all deliveries
};

// Blocks for as long as it computes. Requires: nodes is not 0, and other nodes are named by numbers
// below it.
GossipSimulationReport SimulateGossip(const GossipSimulationOptions& options);

}  // namespace packice
