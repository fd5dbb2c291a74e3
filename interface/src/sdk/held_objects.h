// The objects that a client holds under leases, so that another Get of one needs no message: the
// read index says whether the node still has that very object under the id.
//
// Owned by a Connection to a Unix socket, after the IndexReader. Thread-safe; one short lock. In a
// forked child nothing is held.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/optional.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"
#include "packice/core/object_place.h"
#include "packice/transport/uds_peer.h"
#include "sdk/held_object.h"
#include "sdk/index_reader.h"
#include "sdk/per_process.h"

namespace packice::sdk {

class HeldObjects {
 public:
  explicit HeldObjects(IndexReader& index) : index_(index) {}

  // The object of this id, where it is held under a lease without TTL that a connection which is
  // still there has granted, and the node has not given the id to another one. Blocks where the
  // node has to be asked for its index first.
  absl::optional<HeldObject> Find(const ObjectId& id);

  // Others may find it, for as long as somebody holds it. `connection` is the one that its lease
  // was granted through, and `place` where its memory begins.
  void Add(const HeldObject& held, const ObjectPlace& place,
           const std::shared_ptr<const NodeConnection>& connection);

 private:
  struct Entry {
    std::weak_ptr<SharedLease> lease;
    std::weak_ptr<SealedObject> object;
    ObjectPlace place;
    // Not kept open from here: to the node its end is that of the client.
    std::weak_ptr<const NodeConnection> connection;
  };
  struct State {
    void Abandon() {}

    Mutex mutex;
    absl::flat_hash_map<ObjectId, Entry> entries ABSL_GUARDED_BY(mutex);
    size_t look_at ABSL_GUARDED_BY(mutex) = 64;  // entries, for those that nobody holds
  };

  absl::optional<Entry> EntryOf(const ObjectId& id);

  IndexReader& index_;
  PerProcess<State> state_;
};

}  // namespace packice::sdk
