// What a cache would have done with a trace: the policies that a node runs, told of each request as
// a node tells them, without the objects.
//
// For each request: leases that end by now end. An object that is there is a hit: it is leased, if
// leases are asked for, and the policy hears of the hit. Otherwise it is a miss: the policy looks
// for what it remembers of the object, victims go until the object fits, and then it is inserted,
// and leased. Not inserted is what is larger than the capacity, and what does not fit beside what
// is pinned: then nothing is evicted for it in vain.
//
// A node counts an object's pages and not its bytes in its capacity, and inserts an object at its
// seal and not at its first request; otherwise this is what it does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "cli/huge_page_allocator.h"
#include "cli/trace.h"
#include "packice/peers/eviction_spec.h"

namespace packice::cli {

struct SimulationOptions {
  EvictionSpec policy;
  uint64_t capacity = 0;  // bytes; with `ignore_sizes` objects
  bool ignore_sizes = false;
  // Each requested object is leased, so that it is no victim, for so many further requests.
  uint64_t lease_requests = 0;
};

struct SimulationResult {
  uint64_t requests = 0;
  uint64_t requested_bytes = 0;  // with `ignore_sizes` objects, here and below
  uint64_t misses = 0;
  uint64_t missed_bytes = 0;
  uint64_t evictions = 0;
  uint64_t skips = 0;       // victims that were pinned
  uint64_t too_large = 0;   // misses that were not inserted: larger than the capacity
  uint64_t all_pinned = 0;  // misses that were not inserted: no room beside what is pinned
  double pinned_share = 0;  // of the capacity, the mean over the requests
  absl::Duration elapsed;   // of Run, in processor time

  double RequestMissRatio() const;
  double ByteMissRatio() const;  // 0 where no bytes were requested
};

// One run of one policy. Thread-compatible.
class Simulation {
 public:
  // `trace` outlives it.
  Simulation(const Trace& trace, const SimulationOptions& options);
  ~Simulation();

  // Requests all of the trace. Once, and not after Request.
  const SimulationResult& Run();

  // Requests the object with this number. Whether it was a hit.
  bool Request(uint32_t object);

  const SimulationResult& result() const { return result_; }

 private:
  struct Slot;

  bool MakeRoom(EvictionEntry& entry);
  void Pin(Slot& slot);
  void Unpin(Slot& slot);
  void EndLeases();

  const Trace& trace_;
  const SimulationOptions options_;
  const std::unique_ptr<EvictionPolicy> policy_;
  std::vector<Slot, HugePageAllocator<Slot>> slots_;  // by the objects' numbers
  uint64_t used_ = 0;
  uint64_t pinned_ = 0;
  double pinned_sum_ = 0;
  // The objects of the last requests, by the requests' numbers modulo its size, which is one more
  // than lease_requests.
  std::vector<uint32_t> leased_;
  SimulationResult result_;
};

}  // namespace packice::cli
