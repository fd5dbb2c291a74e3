// A swarm in one thread and without a wall clock: many TransferEngines, the same that run in nodes,
// over a network, a tracker and local objects that are simulated. One object goes from one source
// to all others. The same options give the same run, to the last event.
//
// What is simulated: each node has an uplink, which pieces leave one after another, and a downlink,
// which they share in the order of their arrival; both have a rate and never lose what is on them
// unless the link breaks. Frames other than pieces take the latency alone. Local objects and the
// tracker answer at once and after a round trip.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

struct SwarmSimulationOptions {
  uint32_t nodes = 64;  // that want the object; the source comes on top
  uint32_t pieces = 256;
  uint64_t piece_bytes = 1 << 20;  // a size that Manifest allows
  uint64_t seed = 1;

  double up_rate = 125e6;  // bytes a second, of each node
  double down_rate = 125e6;
  absl::Duration latency = absl::Microseconds(200);  // one way
  uint32_t zones = 1;
  // Nodes begin at random times up to this.
  absl::Duration arrival_spread;

  // Faults, at random times within `fault_window`.
  absl::Duration fault_window = absl::Seconds(2);
  uint32_t link_breaks = 0;
  uint32_t crashes = 0;     // of nodes other than the source, each restarted within a second
  uint32_t partitions = 0;  // cut the nodes in two for up to `partition_time`
  absl::Duration partition_time = absl::Seconds(3);
  uint32_t slow_nodes = 0;  // with a tenth of the rates
  // Nodes that claim to have all: half of them send wrong bytes, half send nothing.
  uint32_t liars = 0;
  // The tracker does not answer from then on, for so long.
  absl::Duration tracker_outage_at;
  absl::Duration tracker_outage;
  // While it is out, holders are known of from gossip that is so old; zero: not at all.
  absl::Duration gossip_lag;

  absl::Duration limit = absl::Minutes(10);  // of simulated time
  TransferOptions transfer;                  // address and zone are filled in
};

struct SwarmSimulationReport {
  uint32_t completed = 0;  // nodes, liars not counted
  uint32_t wanted = 0;     // that should complete
  absl::Duration median;
  absl::Duration p99;
  absl::Duration last;
  double phi = 0;            // the least possible time, over `last`
  double source_copies = 0;  // of the object, that left the source
  uint64_t wasted_bytes = 0;
  uint64_t banned = 0;
  uint64_t failed_fetches = 0;  // tried again
  // How large things became.
  uint64_t events = 0;
  size_t max_queued_events = 0;
  size_t max_links = 0;
  uint64_t trace_hash = 0;
  std::vector<std::string> violations;  // of what must hold in every run; should be empty
};

// The least time in which `pieces` pieces, each taking `piece_time`, can reach `nodes` nodes.
absl::Duration LeastSwarmTime(uint32_t nodes, uint32_t pieces, absl::Duration piece_time);

// Blocks until the run is over.
SwarmSimulationReport SimulateSwarm(const SwarmSimulationOptions& options);

}  // namespace packice
