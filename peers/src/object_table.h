// The engine's record of every object, kept in stripes by a hash of the id. Owned by one LocalPeer.
//
// A record is touched only under its stripe's lock. Objects that were discarded, evicted or expired
// while leased stay in their stripe, off the ids, until the last lease ends.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/core/lease_id.h"
#include "packice/core/mutex.h"
#include "packice/core/object.h"
#include "packice/core/peer.h"
#include "packice/peers/eviction_policy.h"

namespace packice {

enum class Phase : uint8_t {
  kReserving,  // the CREATE lease exists, room and blobs are being made
  kCreating,   // the creator writes
  kSealing,    // the blobs are being frozen
  kSealed,
};

struct ObjectRecord {
  ObjectId id;
  uint64_t incarnation = 0;
  Phase phase = Phase::kReserving;
  // The creator's lease ended while room was being made or the blobs were being frozen: whoever
  // does that takes the object away when it is done.
  bool abandoned = false;
  uint32_t leases = 0;             // live ones
  bool growing = false;            // created without a size: Seal sets it
  uint64_t charged = 0;            // bytes it counts for in the peer's capacity
  std::shared_ptr<Object> object;  // null while kReserving
  LeaseId creator;
  LeaseId writer;  // the last one that was granted
  absl::Time created_at;
  absl::optional<absl::Duration> ttl;  // the object's own
  absl::optional<absl::Time> expires_at;
  Instant deadline = absl::InfiniteDuration();  // expires_at on the monotonic scale
  EvictionEntry eviction;

  ObjectInfo Info() const;
};

class ObjectTable {
 public:
  static constexpr size_t kStripes = 64;

  struct alignas(64) Stripe {
    Mutex mutex;
    // Keys are views of the records' own ids.
    absl::flat_hash_map<absl::string_view, std::unique_ptr<ObjectRecord>> live
        ABSL_GUARDED_BY(mutex);
    absl::btree_set<absl::string_view> order ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<uint64_t, std::unique_ptr<ObjectRecord>> detached ABSL_GUARDED_BY(mutex);
    uint64_t creating ABSL_GUARDED_BY(mutex) = 0;  // live records not yet kSealed
    uint64_t hits ABSL_GUARDED_BY(mutex) = 0;
    uint64_t misses ABSL_GUARDED_BY(mutex) = 0;
    // Bytes charged for live sealed objects without a lease. Written under the lock.
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
    return stripes_[absl::Hash<absl::string_view>()(id.bytes()) >> 58];
  }
  std::array<Stripe, kStripes>& stripes() { return stripes_; }

  // A page of the live objects in the byte order of their ids; locks one stripe at a time.
  // Requires: limit > 0.
  ListPage List(const ListRequest& request);

 private:
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace packice
