// Traces that are made and not recorded.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/trace.h"

namespace packice::cli {

// Independent requests in which the k-th most popular object has a share of 1 / k^alpha.
struct ZipfOptions {
  uint64_t objects = 100000;  // 1 to 2^32 - 1; those that are never requested are no part of it
  uint64_t requests = 1000000;
  double alpha = 0.8;  // 0 (all alike) to 10
  uint64_t seed = 1;
  // Bytes of an object: between the two, each factor as likely as any other. Sizes have nothing to
  // do with popularity.
  uint64_t min_size = 4096;
  uint64_t max_size = 4096;
};

// "zipf,objects=N,requests=N,alpha=A,seed=N,size=SIZE" or "...,size=SIZE-SIZE", each key as by
// default where it is left out. `invalid_argument`, saying which keys and values there are.
absl::StatusOr<ZipfOptions> ParseSynthetic(absl::string_view text);

// The same trace for the same options. Objects are numbered at random, so that popular ones are not
// neighbours in the memory of who goes by numbers.
Trace MakeZipf(const ZipfOptions& options);

}  // namespace packice::cli
