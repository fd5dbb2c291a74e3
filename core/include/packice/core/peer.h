// Who manages objects and leases. Memory, disk, a remote node, tiers and swarms are all Peers, so
// each can stand wherever another can.
//
// Every call answers by a callback that runs exactly once: often before the call returns, otherwise
// later, on the thread that settles the matter. No call blocks on another process or on a medium
// for long; waiting costs no thread. Callbacks must be brief and must not block; they may call the
// peer again. blocking.h has the forms that wait. Thread-safe. A peer outlives its calls:
// destroying it while one is under way is an error, except for waiting Acquires, which it completes
// with `unavailable`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/identity.h"
#include "packice/core/latch.h"
#include "packice/core/lease.h"
#include "packice/core/metadata.h"
#include "packice/core/object.h"
#include "packice/core/object_id.h"

namespace packice {

template <typename T>
using Done = absl::AnyInvocable<void(T) &&>;

struct AcquireRequest {
  Access access = Access::kRead;
  // Empty, for kCreate only: the peer makes one.
  ObjectId object_id;
  // kCreate: the size of each blob in bytes, at most Object::kMaxBlobs of them. Empty: one blob
  // whose size is not known yet.
  absl::InlinedVector<uint64_t, 1> blob_sizes;
  // kCreate: what the object says of itself, and how long it lives after Seal. Over 0.
  Metadata metadata;
  absl::optional<absl::Duration> object_ttl;
  // Of the lease. Without one the lease lives as long as its session. Over 0.
  absl::optional<absl::Duration> ttl;
  // kCreate: this process fills the blobs, by Blob::Write alone; it asks for no descriptor and no
  // mapping before Seal. A peer that has a better place for such bytes takes it.
  bool written_here = false;
  // How long to wait for what stands in the way (see Peer::Acquire). Zero: not at all.
  absl::Duration wait = absl::ZeroDuration();
  // Housekeeping, not use: it counts as no hit, neither for the eviction policy nor in the
  // statistics.
  bool quiet = false;
  SessionId session = SessionId::kNone;
  OperationId operation = OperationId::kNone;
};

// What was granted. The lease lasts until it is released, expires or its session ends; the object's
// bytes stay readable for as long as the holder shares it, even longer than the lease.
struct Grant {
  Lease lease;
  std::shared_ptr<Object> object;
};

// A whole object from bytes that are there already.
struct PutRequest {
  ObjectId object_id;  // empty: the peer makes one
  // The size of each blob in bytes, which `bytes` fill one after another. Empty: one blob of all.
  absl::InlinedVector<uint64_t, 1> blob_sizes;
  // Must stay valid until the answer.
  absl::string_view bytes;
  Metadata metadata;
  absl::optional<absl::Duration> object_ttl;  // after Seal; over 0
  // How long to wait for another creator of the object (see Peer::Acquire). Zero: not at all.
  absl::Duration wait = absl::ZeroDuration();
  SessionId session = SessionId::kNone;
  OperationId operation = OperationId::kNone;
};

struct SealRequest {
  LeaseId lease_id;
  // The final size of blob 0, where its creation gave none. Nothing: as far as it was written.
  absl::optional<uint64_t> size;
  Metadata metadata;  // merged in before it freezes
  // When the object's own life ends, instead of what its creation said. A copy thus ends with its
  // original.
  absl::optional<absl::Time> expires_at;
  SessionId session = SessionId::kNone;
  OperationId operation = OperationId::kNone;
};

struct Sealed {
  ObjectId object_id;
  uint64_t size = 0;  // bytes, over all blobs
};

// For Lookup, Discard and Release.
struct LeaseRequest {
  LeaseId lease_id;
  SessionId session = SessionId::kNone;
  OperationId operation = OperationId::kNone;
};

struct RelocateRequest {
  LeaseId lease_id;  // a WRITE lease
  ObjectId to;
  SessionId session = SessionId::kNone;
  OperationId operation = OperationId::kNone;
};

struct RenewRequest {
  LeaseId lease_id;
  absl::Duration ttl;  // from now; over 0
  SessionId session = SessionId::kNone;
};

struct ObjectInfo {
  ObjectId object_id;
  ObjectState state = ObjectState::kCreating;
  Metadata metadata;
  std::vector<uint64_t> blob_sizes;  // bytes
  uint64_t leases = 0;               // live ones on it
  absl::Time created_at;
  absl::optional<absl::Time> sealed_at;
  absl::optional<absl::Time> expires_at;
  // Which tiers have it, the hottest first: "hot", "cold", "cold/hot". Empty without tiers.
  std::vector<std::string> tiers;

  uint64_t size() const;  // bytes, over all blobs
};

struct ListRequest {
  static constexpr size_t kDefaultLimit = 1000;
  static constexpr size_t kMaxLimit = 10000;

  std::string prefix;            // of the ids' bytes
  std::string after;             // only ids behind this one, in byte order
  size_t limit = kDefaultLimit;  // 1 to kMaxLimit
};

struct ListPage {
  std::vector<ObjectInfo> objects;  // in the byte order of their ids
  absl::optional<ObjectId> next;    // set when there are more: ask again with after = next
};

enum class TierState {
  kOk,
  kSlow,     // answers, but what moves to or from it takes very long
  kFull,     // has no room and can make none
  kFailing,  // refuses what should move there, because its medium fails
  kDown,     // out of reach
};

absl::string_view TierStateName(TierState state);  // "ok", "slow", "full", "failing", "down"

// One tier of a node. What nodes with tiers are asked for finds the hottest tier that has it: a
// request that a tier misses goes on to the next colder one.
struct TierStats {
  std::string name;  // "hot", "cold"; of tiers within a tier "cold/hot", "cold/cold"
  TierState state = TierState::kOk;
  std::string reason;  // why it is not kOk
  uint64_t objects = 0;
  uint64_t bytes = 0;
  absl::optional<uint64_t> capacity;  // bytes
  // READ acquires that came this far, and the bytes of the objects they found here or colder.
  uint64_t hits = 0;
  uint64_t hit_bytes = 0;
  uint64_t misses = 0;
  uint64_t missed_bytes = 0;
  uint64_t evictions = 0;
  // Out of this tier into the colder one, and into this tier from the colder one.
  uint64_t demotions = 0;
  uint64_t demoted_bytes = 0;
  uint64_t promotions = 0;
  uint64_t promoted_bytes = 0;
  // What the colder tier does not have yet, and of it what has begun to move.
  uint64_t queued = 0;
  uint64_t queued_bytes = 0;
  uint64_t moving = 0;
  // Discarded here while this tier was out of reach; it is told when it is back.
  uint64_t discards_due = 0;
  absl::optional<absl::Duration> coldest_age;
};

struct PeerStats {
  uint64_t objects = 0;   // sealed and being created
  uint64_t creating = 0;  // of these, being created
  // What they take up of the medium, as declared or written: all objects, and discarded ones that
  // are still leased.
  uint64_t bytes = 0;
  absl::optional<uint64_t> capacity;  // bytes; nothing: no limit of its own
  uint64_t hits = 0;                  // READ acquires of a sealed object
  uint64_t hit_bytes = 0;             // of the objects that were hit
  uint64_t misses = 0;                // READ acquires of an object that is not there
  uint64_t evictions = 0;
  uint64_t expired_objects = 0;
  uint64_t quarantined = 0;  // objects found damaged since the start
  uint64_t expired_leases = 0;
  uint64_t waiting = 0;  // acquires that wait
  uint64_t read_leases = 0;
  uint64_t create_leases = 0;
  uint64_t write_leases = 0;
  // How long ago the object that would be evicted next was last used. Nothing: there is none, or
  // the peer cannot tell.
  absl::optional<absl::Duration> coldest_age;
  std::vector<TierStats> tiers;  // the hottest first; empty without tiers
};

class Peer {
 public:
  virtual ~Peer() = default;

  // Grants a lease.
  // kCreate: `already_exists` for a sealed object; `busy` while a live lease creates it;
  // `capacity`. kRead: `not_found`; `not_sealed` while it is being created. kWrite: `not_found`;
  // `busy` while another lease creates or writes it. With `wait`, `busy` and `not_sealed` are
  // waited out, first come first served, and end in `timeout`. `invalid_argument` for a request
  // that can never succeed.
  virtual void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) = 0;

  // Creates, fills, seals and releases an object in one call. Errors are those of Acquire
  // (kCreate), Blob::Write and Seal, and `invalid_argument` when the sizes do not add up to the
  // bytes. What fails leaves nothing: the id is as free as before. By default made of those calls,
  // the bytes being written where Acquire answers.
  virtual void Put(PutRequest request, Done<absl::StatusOr<Sealed>> done);

  // Makes a waiting Acquire with this (caller-chosen, non-kNone) operation id end in `timeout` now.
  virtual void Cancel(OperationId operation) = 0;

  // The grant of a live lease once more, for whoever comes back with nothing but its id.
  // `lease_expired`; `permission_denied` for another session's lease; `unsupported` where a peer
  // does not manage the objects itself.
  virtual void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done);

  // Freezes bytes and metadata; the lease then pins the object like a READ lease.
  // `permission_denied` unless it is a CREATE lease; `already_exists` when it has sealed before;
  // `busy` while a writable mapping is open or another request seals it; `capacity` or `io` when
  // the medium does not take it: the object is then as before; `lease_expired`.
  virtual void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) = 0;

  // Takes the object away and ends the lease. The id is free at once; holders of READ leases keep
  // the bytes. `permission_denied` unless it is a CREATE or WRITE lease; `busy` while another
  // request seals or changes the object; `lease_expired`; `io` or `capacity` when a durable medium
  // does not let go of it, and then nothing has changed.
  virtual void Discard(LeaseRequest request, Done<absl::Status> done) = 0;

  // Ends the lease; of an unsealed CREATE lease also the object. Idempotent: a lease that is over
  // is released. `permission_denied` for another session's lease. A null `done`: the caller does
  // not care for the answer.
  virtual void Release(LeaseRequest request, Done<absl::Status> done) = 0;

  // Gives the object another id and ends the lease; the bytes do not move. `permission_denied`
  // unless it is a WRITE lease; `busy` while others hold leases on the object, or `to` is being
  // created; `already_exists` for a sealed object of that id; `lease_expired`; `unsupported` where
  // a peer cannot; `io` or `capacity` when a durable medium does not take it. On failure the lease
  // goes on.
  virtual void Relocate(RelocateRequest request, Done<absl::Status> done);

  // Gives the lease a TTL from now on; it no longer belongs to its session. Answers the TTL.
  // `lease_expired`.
  virtual void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) = 0;

  // `not_found`.
  virtual void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) = 0;

  // A page of objects. Changes made meanwhile may or may not show; what was there throughout does.
  virtual void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) = 0;

  virtual void Stats(Done<absl::StatusOr<PeerStats>> done) = 0;

  // Ends all leases of a session that have no TTL, and its waits (`unavailable`).
  virtual void EndSession(SessionId session) = 0;

  // Runs `calls`, which makes calls of this peer on the caller's thread. A peer that sends each
  // call as a message sends these in as few as it can, once `calls` has returned; the answers come
  // as ever.
  virtual void Gather(absl::FunctionRef<void()> calls) { calls(); }

  // Runs `calls`, then blocks until `done`, which the answer to one of them sets. A peer whose
  // answers must be read off a socket lends itself the caller's thread for that, so that a blocking
  // call needs no other.
  virtual void Await(absl::FunctionRef<void()> calls, Latch& done) {
    calls();
    done.Wait();
  }
};

}  // namespace packice
