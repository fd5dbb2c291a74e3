// What a benchmark found, as a table or as JSON. Shared by all that measure, so that their figures
// look alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cli/latency_histogram.h"

namespace packice::cli {

struct BenchRow {
  std::string work;   // "get", "put"
  uint64_t size = 0;  // bytes of an object
  uint64_t clients = 1;
  uint64_t batch = 1;  // objects in a call
  double objects_per_second = 0;
  LatencyHistogram calls;
};

std::string FormatBenchTable(absl::Span<const BenchRow> rows);

// {"results":[{"work","size","clients","batch","ops_per_second","bytes_per_second","p50_us",...}]}
std::string FormatBenchJson(absl::Span<const BenchRow> rows);

}  // namespace packice::cli
