// A sealed object that this process holds: what Readers of it share.
#pragma once

#include <memory>
#include <utility>

#include "absl/types/optional.h"
#include "packice/core/metadata.h"
#include "packice/core/object_id.h"
#include "packice/core/peer.h"
#include "sdk/sealed_bytes.h"
#include "sdk/shared_lease.h"

namespace packice::sdk {

// Stays readable when its lease is over. Thread-safe.
struct SealedObject {
  // Takes the object and its descriptors out of it.
  explicit SealedObject(Granted& granted)
      : connection(granted.lease.shared_connection()),
        id(granted.object->id()),
        metadata(granted.object->metadata()),
        bytes(*connection, std::move(granted.object), std::move(granted.descriptors)) {}

  const std::shared_ptr<Connection> connection;  // which the bytes need to the end
  const ObjectId id;
  const Metadata metadata;
  SealedBytes bytes;
};

// A Reader's share of an object and of the lease on it. Thread-safe but for `lease`.
struct HeldObject {
  LeaseShare lease;  // goes last: what it pins is unmapped by then
  std::shared_ptr<SealedObject> object;
};

// What was granted, which others may then share. Requires: the object is sealed.
HeldObject Hold(Granted granted);

// What `request` asks for, without a message, where this client holds it and the lease may be
// shared.
absl::optional<HeldObject> FindHeld(Connection& connection, const AcquireRequest& request);

}  // namespace packice::sdk
