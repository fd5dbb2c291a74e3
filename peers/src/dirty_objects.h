// What hot has sealed and cold does not have yet, each object with the lease that keeps it in hot.
//
// Owned by a tiered peer, whose lock guards it: thread-compatible. An object is in the queue,
// oldest first, until it is taken to be moved; afterwards it is put back or erased. One that is put
// aside waits for something other than its turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/peer.h"

namespace packice {

struct DirtyObject {
  Grant pin;  // hot's READ lease
  Instant since = absl::ZeroDuration();
  absl::optional<absl::Time> expires_at;
  // Cold may have it already: an earlier try went wrong at the end, or cold could not be asked.
  bool ask_cold = false;
  // Another object has the id in cold: it cannot move, and says so.
  bool conflict = false;
  // Something about this object alone was in the way: it is put aside for a while, longer each
  // time.
  bool resting = false;
  int rests = 0;
  // Who wants to know how the next try ends.
  std::vector<Done<absl::Status>> waiters;

  const ObjectId& id() const { return pin.object->id(); }
  uint64_t bytes() const { return pin.object->footprint(); }
};

class DirtyObjects {
 public:
  // False when there is one of that id.
  bool Add(std::unique_ptr<DirtyObject> object);
  // Null when there is none.
  DirtyObject* Find(const ObjectId& id) const;
  std::unique_ptr<DirtyObject> Erase(const ObjectId& id);

  // The oldest in the queue, or null.
  DirtyObject* First() const;
  // Out of the queue: to be moved, or put aside. Requires: it is in the queue.
  void Take(DirtyObject& object);
  void PutAside(DirtyObject& object);
  // Back to the front of the queue, from wherever it is.
  void PutBack(DirtyObject& object);

  // The one in the queue whose own life ends first, or null.
  DirtyObject* FirstToEnd() const;

  bool IsAside(const DirtyObject& object) const;
  size_t size() const { return objects_.size(); }
  uint64_t bytes() const { return bytes_; }
  size_t queued() const { return queue_.size(); }
  uint64_t queued_bytes() const { return queued_bytes_; }

 private:
  enum class Place { kQueue, kTaken, kAside };
  struct Entry {
    std::unique_ptr<DirtyObject> object;
    uint64_t bytes;  // as it was counted
    Place place;
    std::list<DirtyObject*>::iterator position;  // in the queue
  };

  void Leave(Entry& entry, Place place);

  absl::flat_hash_map<ObjectId, Entry> objects_;
  // Of those in the queue.
  absl::btree_set<std::pair<absl::Time, ObjectId>> ends_;
  std::list<DirtyObject*> queue_;
  uint64_t bytes_ = 0;
  uint64_t queued_bytes_ = 0;
};

}  // namespace packice
