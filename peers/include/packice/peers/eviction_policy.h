// Which object goes when room is needed: the decision alone, apart from the objects.
//
// A peer tells its policy what happens to sealed objects and asks it for victims. Every call is
// O(1). A policy is owned by one peer and thread-safe: it chooses its own locking, and calls back
// into nobody.
#pragma once

#include <cstdint>

#include "absl/types/optional.h"
#include "packice/core/object_id.h"

namespace packice {

// What a policy sees of an object, and its place in the policy's queue. It is part of the peer's
// record of the object, so that no look-up is needed and nothing is kept twice.
struct EvictionEntry {
  // The peer's. None of it changes while the entry is queued.
  ObjectId id;
  uint64_t incarnation = 0;
  uint64_t charged = 0;  // bytes that it counts for in the peer's capacity

  // The policy's.
  EvictionEntry* previous = nullptr;  // null: in no queue
  EvictionEntry* next = nullptr;
  uint64_t stamp = 0;
};

// A copy, because the entry may be gone by the time the peer acts on it.
struct Victim {
  ObjectId object_id;
  uint64_t incarnation = 0;
};

// Calls about one entry must not overlap (the peer makes them under the object's lock).
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;

  // The object was sealed and may be evicted from now on.
  virtual void Insert(EvictionEntry& entry) = 0;

  // It was asked for again.
  virtual void Hit(EvictionEntry& entry) = 0;

  // Its first lease began, its last one ended: between the two it is never a victim.
  virtual void Pin(EvictionEntry& entry) = 0;
  virtual void Unpin(EvictionEntry& entry) = 0;

  // It is gone. The entry may be destroyed afterwards.
  virtual void Remove(EvictionEntry& entry) = 0;

  // Chooses the next victim and takes it off the queue; nothing when every object is pinned. The
  // peer then removes the object, unless it was pinned meanwhile or cannot be removed: Unpin puts
  // it back.
  virtual absl::optional<Victim> Evict() = 0;
};

}  // namespace packice
