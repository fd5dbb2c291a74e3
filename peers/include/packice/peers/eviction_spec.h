// Which eviction policy a peer has, by name: what `--eviction` takes, and how it is made. A value.
//
// docs/eviction.md tells what each policy does and when to choose it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/peers/eviction_policy.h"

namespace packice {

enum class EvictionKind {
  kS3Fifo,  // "s3fifo": a small queue weeds out what is read once
  kLru,     // "lru": whose use lies back furthest
  kSieve,   // "sieve": a hand that passes over what was read since it came by
  kGdsf,    // "gdsf": large and rarely read first; for request hits, at the cost of byte hits
  kFifo,    // "fifo": the oldest
};

absl::string_view EvictionKindName(EvictionKind kind);
const std::vector<EvictionKind>& EvictionKinds();  // all, the default first

struct EvictionSpec {
  EvictionKind kind = EvictionKind::kS3Fifo;

  // Of S3-FIFO. The small queue's part of the capacity, in bytes: over 0, under 1.
  double small = 0.1;
  // Of how many bytes of objects, as a part of the capacity, it remembers that they left the small
  // queue unread: 0 to 10.
  double ghost = 0.9;
  // Reads in the small queue that take an object to the main one: 1 to 3.
  uint32_t promote = 2;

  // What ParseEvictionSpec takes: the name, and each key that is not as by default.
  std::string ToString() const;
};

// "NAME[,key=value]...": "lru", "s3fifo,promote=1,small=0.05". `invalid_argument`, saying which
// names, keys and values there are.
absl::StatusOr<EvictionSpec> ParseEvictionSpec(absl::string_view text);

// `capacity`: the peer's, in bytes; without one S3-FIFO goes by the bytes that are queued. The
// clock is for ColdestAge alone and outlives the policy.
std::unique_ptr<EvictionPolicy> MakeEvictionPolicy(const EvictionSpec& spec,
                                                   absl::optional<uint64_t> capacity,
                                                   const Clock& clock = Clock::System());

}  // namespace packice
