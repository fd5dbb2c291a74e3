// One tier of a node, as flags or a configuration file describe it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cli/target.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/peers/eviction_spec.h"
#include "packice/peers/tiered_peer.h"

namespace packice::cli {

// How objects move between a tier and the next colder one, as TieredPeerOptions has it.
struct TierMoves {
  WritePolicy write_policy = TieredPeerOptions().write_policy;
  absl::Duration flush_after = TieredPeerOptions().flush_after;
  double high_water = TieredPeerOptions().high_water;
  double low_water = TieredPeerOptions().low_water;
  size_t moves = TieredPeerOptions().moves;
  uint32_t promote_hits = TieredPeerOptions().promote_hits;
  absl::Duration promote_window = TieredPeerOptions().promote_window;
  absl::optional<uint64_t> promote_max;  // bytes
};

struct TierSpec {
  enum class Kind {
    kMemory,
    kFiles,
    kRemote,  // a node elsewhere; only the coldest tier may be one
  };
  Kind kind = Kind::kMemory;
  Target target;                      // kRemote
  std::string data;                   // kFiles: its directory
  absl::optional<uint64_t> capacity;  // bytes; nothing: a share of what there is
  EvictionSpec eviction;              // not of kRemote
  bool verify_reads = false;          // kFiles
  MemoryBlobStoreOptions memory;      // kMemory
  // Of no meaning in the coldest tier.
  TierMoves moves;
  // A file that remembers what was discarded here while the next colder tier was out of reach.
  // Empty: none, the process remembers. Its directory is made.
  std::string discard_log;
};

}  // namespace packice::cli
