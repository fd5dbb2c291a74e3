// The engine's record of every object, kept in stripes by a hash of the id. Owned by one LocalPeer.
//
// A record is touched only under its stripe's lock. Objects that were discarded, evicted or expired
// while leased stay in their stripe, off the ids, until the last lease ends; so do those that the
// archive has not let go of yet.
//
// A record that nobody uses is what a node with a million objects has a million of: it holds as
// little as it can. What only some objects need is allocated beside it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/core/lease_id.h"
#include "packice/core/mutex.h"
#include "packice/core/object.h"
#include "packice/core/packed_bytes.h"
#include "packice/core/peer.h"
#include "packice/peers/eviction_policy.h"

namespace packice {

enum class Phase : uint8_t {
  kReserving,   // the CREATE lease exists, room and blobs are being made
  kCreating,    // the creator writes
  kSealing,     // the blobs are being frozen
  kCommitting,  // the archive is taking the object in
  kSealed,
};

// What the medium is doing to a sealed object. Whoever wants to acquire it meanwhile waits for the
// outcome, and there is never more than one at a time.
enum class Change : uint8_t { kNone, kChecking, kRemoving, kRelocating };

// Of an object that somebody creates or writes.
struct Custody {
  LeaseId lease;  // the creator's; once sealed, the last WRITE lease that was granted
  absl::Time created_at;
  absl::optional<absl::Duration> ttl;  // the object's own, from Seal on
  uint64_t declared = 0;               // bytes
  bool growing = false;                // created without a size: Seal sets it
  bool quiet = false;                  // its creation was housekeeping: a copy between tiers
  // The creator's lease ended while room was being made or the blobs were being frozen: whoever
  // does that takes the object away when it is done.
  bool abandoned = false;
};

// Of an object with a TTL of its own.
struct Expiration {
  absl::Time expires_at;
  Instant deadline;     // the same on the monotonic scale
  bool queued = false;  // among those that the engine watches
};

// Of an object that somebody uses, or will: what an object at rest has no need of.
struct RecordExtras {
  std::shared_ptr<Object> object;
  std::unique_ptr<Custody> custody;
  std::unique_ptr<Expiration> expiration;
};

class ObjectRecord : public EvictionEntry {
 public:
  Phase phase = Phase::kReserving;
  Change change = Change::kNone;
  bool held : 1;        // leased or changing: the policy has it pinned
  bool archived : 1;    // the archive has it under `incarnation` as its serial
  bool checked : 1;     // its bytes were there, or were made, since the start
  bool lingering : 1;   // nobody leases it, but `object` is still there: it is in Stripe::lingering
  bool recent : 1;      // when it was opened, it had been closed not long ago
  uint16_t closed = 0;  // Stripe::opened, cut off, when it was closed
  uint32_t leases = 0;  // live ones
  // What it takes to open the object: the archive's, or of one that is parked. Empty otherwise.
  PackedBytes rest;

  ObjectRecord() : held(false), archived(false), checked(false), lingering(false), recent(false) {}

  bool sealed() const { return phase == Phase::kSealed; }
  bool IsOverAt(Instant now) const {
    return expiration() != nullptr && expiration()->deadline <= now;
  }

  // Null while kReserving, and of an object that nobody uses.
  Object* object() const { return extras_ != nullptr ? extras_->object.get() : nullptr; }
  Custody* custody() const { return extras_ != nullptr ? extras_->custody.get() : nullptr; }
  // Stays where it is until the record goes.
  Expiration* expiration() const {
    return extras_ != nullptr ? extras_->expiration.get() : nullptr;
  }

  // Require that there is one.
  const std::shared_ptr<Object>& SharedObject() const { return extras_->object; }
  std::shared_ptr<Object> TakeObject();

  void SetObject(std::shared_ptr<Object> object) { Extras().object = std::move(object); }
  // That which is there already, or a new one.
  Custody& MakeCustody();
  Expiration& MakeExpiration();
  void DropCustody();

 private:
  RecordExtras& Extras();
  void DropExtras();

  std::unique_ptr<RecordExtras> extras_;  // null where it would hold nothing
};
// A node with a million objects at rest has a million of these, each in an allocation of 128 bytes.
static_assert(sizeof(ObjectRecord) <= 120);

class ObjectTable {
 public:
  static constexpr size_t kStripes = 64;

  // Records go by their ids, without copies of them.
  struct ById {
    using is_transparent = void;
    static absl::string_view Key(absl::string_view id) { return id; }
    static absl::string_view Key(const ObjectRecord* record) { return record->id.bytes(); }
    static absl::string_view Key(const std::unique_ptr<ObjectRecord>& record) {
      return record->id.bytes();
    }
  };
  struct Hash : ById {
    template <typename T>
    size_t operator()(const T& key) const {
      return absl::Hash<absl::string_view>()(Key(key));
    }
  };
  struct Equal : ById {
    template <typename T, typename U>
    bool operator()(const T& a, const U& b) const {
      return Key(a) == Key(b);
    }
  };
  struct Less : ById {
    template <typename T, typename U>
    bool operator()(const T& a, const U& b) const {
      return Key(a) < Key(b);
    }
  };

  struct alignas(64) Stripe {
    Mutex mutex;
    absl::flat_hash_set<std::unique_ptr<ObjectRecord>, Hash, Equal> live ABSL_GUARDED_BY(mutex);
    absl::btree_set<ObjectRecord*, Less> order ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<uint64_t, std::unique_ptr<ObjectRecord>> detached ABSL_GUARDED_BY(mutex);
    // Ids that an object is being relocated to.
    absl::flat_hash_set<ObjectId> arriving ABSL_GUARDED_BY(mutex);
    // Leases that were over with the relocation of their object; whoever ended them has yet to come
    // and say so.
    absl::flat_hash_set<LeaseId> departed ABSL_GUARDED_BY(mutex);
    // The longest there first.
    std::vector<ObjectRecord*> lingering ABSL_GUARDED_BY(mutex);
    size_t sweep_at ABSL_GUARDED_BY(mutex) = 0;    // when there are so many lingering
    uint64_t opened ABSL_GUARDED_BY(mutex) = 0;    // objects that had been closed, ever
    uint64_t creating ABSL_GUARDED_BY(mutex) = 0;  // live records not yet kSealed
    uint64_t hits ABSL_GUARDED_BY(mutex) = 0;
    uint64_t hit_bytes ABSL_GUARDED_BY(mutex) = 0;
    uint64_t misses ABSL_GUARDED_BY(mutex) = 0;
    // Bytes charged for live sealed objects that are not held. Written under the lock.
    std::atomic<uint64_t> evictable{0};

    // The object that has the id now, or null.
    ObjectRecord* Find(const ObjectId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    // One object, whether it still has its id or not; null when it is gone.
    ObjectRecord* Find(const ObjectId& id, uint64_t incarnation)
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    // Requires: the id is free.
    ObjectRecord& Insert(std::unique_ptr<ObjectRecord> record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    // Takes the id away from its object.
    std::unique_ptr<ObjectRecord> Extract(ObjectRecord& record)
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  };

  Stripe& StripeOf(const ObjectId& id) {
    // The top six bits: the stripe's own hash map goes by the lower ones.
    static_assert(kStripes == 64);
    return stripes_[Hash()(id.bytes()) >> 58];
  }
  std::array<Stripe, kStripes>& stripes() { return stripes_; }

  // A page of the live objects in the byte order of their ids, each as `info_of` tells it, without
  // those for which it tells nothing; locks one stripe at a time. Requires: limit > 0.
  using InfoOf = absl::FunctionRef<absl::optional<ObjectInfo>(const ObjectRecord&)>;
  ListPage List(const ListRequest& request, InfoOf info_of);

 private:
  std::array<Stripe, kStripes> stripes_;
};

// Locks two stripes, which may be the same, always in one order.
class ABSL_SCOPED_LOCKABLE StripePairLock {
 public:
  StripePairLock(ObjectTable::Stripe& a, ObjectTable::Stripe& b)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(a.mutex, b.mutex);
  ~StripePairLock() ABSL_UNLOCK_FUNCTION();
  StripePairLock(const StripePairLock&) = delete;
  StripePairLock& operator=(const StripePairLock&) = delete;

 private:
  Mutex& first_;
  Mutex* second_;  // null when there is only one
};

}  // namespace packice
