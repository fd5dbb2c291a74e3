// Objects of a test: bytes that a seed makes, put to a node and read from it as any client would,
// over its Unix socket. Functions that block; thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace packice {

struct SwarmObject {
  std::string id;
  uint64_t size = 0;  // bytes
  uint64_t seed = 0;  // of its bytes
};

// As a reader must find it.
uint64_t DigestOf(const SwarmObject& object);

// Errors of the node; `unavailable` where there is none.
absl::Status PutObject(const std::string& socket, const SwarmObject& object);

struct ReadObject {
  uint64_t digest = 0;
  absl::Time granted;  // when the node had all of it
};
// Waits so long for the object to come. Errors of the node.
absl::StatusOr<ReadObject> GetObject(const std::string& socket, const std::string& id,
                                     absl::Duration wait);

}  // namespace packice
