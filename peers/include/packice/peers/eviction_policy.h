// Which object goes when room is needed: the decision alone, apart from the objects.
//
// A peer tells its policy what happens to sealed objects and asks it for victims. Every call is
// O(1), where need be over many calls: whatever a victim's choice passes over was paid for by a
// hit, an insertion or a pin. A policy is owned by one peer and thread-safe: it chooses its own
// locking, and calls back into nobody.
//
// A lease is not a hit. Who reads an object says so by Hit; that the object is leased, and for how
// long, says nothing of its use to others. A pinned object that would be the next to go is parked:
// taken off its queue, so that it is met once and not again by every eviction. When it is unpinned
// it stands where it was met, next to go: what is due is put off by a lease and not rewarded for
// it.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/object_id.h"

namespace packice {

// What a policy sees of an object, and its place in the policy's queue. It is part of the peer's
// record of the object, so that no look-up is needed and nothing is kept twice.
struct EvictionEntry {
  // The peer's. None of it changes while the entry is with the policy, but for the id of one that
  // is pinned.
  ObjectId id;
  uint64_t incarnation = 0;
  uint64_t charged = 0;  // bytes that it counts for in the peer's capacity

  // The policy's.
  EvictionEntry* younger = nullptr;  // null: in no queue
  EvictionEntry* older = nullptr;
  union {
    double rank = 0;       // GDSF's
    uint64_t fingerprint;  // S3-FIFO's: of the id that it was inserted with
  };
  std::atomic<int64_t> used_at{0};  // nanoseconds on the clock's monotonic scale
  std::atomic<uint32_t> uses{0};
  uint16_t queue = 0;
  std::atomic<uint8_t> state{0};
};

// A copy, because the entry may be gone by the time the peer acts on it.
struct Victim {
  ObjectId object_id;
  uint64_t incarnation = 0;
};

// Calls about one entry must not overlap (the peer makes them under the object's lock); Evict and
// the statistics may overlap with any.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;

  // An object of this id and of about these bytes will be inserted, and room is made for it next: a
  // policy that remembers what it evicted looks now, before it forgets some of that for this
  // object's sake. May be left out; Insert then looks.
  virtual void Expect(EvictionEntry& entry) { static_cast<void>(entry); }

  // The object was sealed and may be evicted from now on.
  virtual void Insert(EvictionEntry& entry) = 0;

  // It was read.
  virtual void Hit(EvictionEntry& entry) = 0;

  // Its first lease began, its last one ended: between the two it is never a victim. A few
  // nanoseconds, without a lock, unless the object was chosen or parked.
  virtual void Pin(EvictionEntry& entry) = 0;
  virtual void Unpin(EvictionEntry& entry) = 0;

  // It is gone. The entry may be destroyed afterwards.
  virtual void Remove(EvictionEntry& entry) = 0;

  // Chooses the next victim and takes it off the queue; nothing when every object is pinned. The
  // peer then removes the object, unless it was pinned meanwhile or cannot be removed: Unpin puts
  // it back.
  virtual absl::optional<Victim> Evict() = 0;

  // How long ago the object that would go next was last used: read, or inserted. An estimate: what
  // a policy would spare for its hits is looked past only so far. Nothing: there is none.
  virtual absl::optional<absl::Duration> ColdestAge() const = 0;

  // How often a victim was pinned and so parked.
  virtual uint64_t skips() const = 0;
};

}  // namespace packice
