// The load that `packice bench` puts on a node.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/bench_report.h"
#include "cli/target.h"

namespace packice::cli {

struct BenchLoad {
  Target target;
  std::string prefix;  // of the ids of its objects
  uint64_t size = 0;   // bytes of an object
  uint64_t clients = 1;
  uint64_t batch = 1;
  // Of each client: what gets choose from, and what puts write before they take their oldest away
  // again. Nothing: a few that fit into 256 MiB.
  absl::optional<uint64_t> objects;
  double read_share = 1;
  bool copy = false;
  absl::Duration warmup;
  absl::Duration duration;
};

// Runs the load and answers a row for gets and one for puts, as far as there were any. Takes its
// objects away again, also when it fails or when `stop` is set meanwhile. Blocks.
absl::StatusOr<std::vector<BenchRow>> RunLoad(const BenchLoad& load, const std::atomic<bool>& stop);

}  // namespace packice::cli
