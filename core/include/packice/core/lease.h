// The right to an object for a time. A value: the record that a LeaseTable keeps and that a holder
// is given.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/identity.h"
#include "packice/core/lease_id.h"
#include "packice/core/object_id.h"

namespace packice {

// What a lease allows. Also the `intent` of a request.
enum class Access {
  kRead,    // a sealed object's bytes; pins it
  kCreate,  // to write a new object, seal or discard it; exclusive until Seal, then pins like kRead
  kWrite,   // to discard an existing object; exclusive among writers and creators
};

absl::string_view AccessName(Access access);  // "read", "create", "write"

struct Lease {
  LeaseId id;
  ObjectId object_id;
  // Which object of that id: an id may be discarded and created anew while older readers hold
  // leases.
  uint64_t incarnation = 0;
  Access access = Access::kRead;
  // Whose it is. kNone: whoever knows the id may use it, which is so for every lease with a TTL.
  SessionId session = SessionId::kNone;
  // InfiniteDuration: no TTL; it lives until released or until its session ends.
  absl::Duration ttl = absl::InfiniteDuration();
  Instant deadline = absl::InfiniteDuration();
};

}  // namespace packice
