// LocalPeer's inside. See local_peer.h for the contract.
//
// Locks: an object's stripe first (two only where an object moves from one to another, in the order
// of their addresses); below it, never two at once, the leaf locks of the lease table, the wait
// table, the eviction policy, the expiry queue and the reaper. What must happen without a lock
// (callbacks, the death of bytes) is collected in an Aftermath and done once the stripe is free.
//
// What blocks on the medium runs by OnMedium, without a lock. Meanwhile the record's Phase, or its
// Change, keeps everybody else off: an Acquire in its way joins the wait table and is tried again
// with the outcome.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "object_table.h"
#include "packice/core/error.h"
#include "packice/peers/local_peer.h"
#include "reaper.h"
#include "wait_table.h"

namespace packice {

class LocalPeer::Engine {
 public:
  Engine(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
         std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options,
         std::unique_ptr<Archive> archive, std::unique_ptr<Executor> executor);
  ~Engine();

  // engine_recovery.cc
  absl::Status Recover();
  void CheckObjects(const absl::flat_hash_set<uint64_t>& serials);
  // engine_acquire.cc
  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  // engine_leases.cc
  absl::StatusOr<Grant> Lookup(const LeaseRequest& request);
  absl::Status Release(const LeaseRequest& request);
  absl::StatusOr<absl::Duration> Renew(const RenewRequest& request);
  void Cancel(OperationId operation);
  void EndSession(SessionId session);
  Instant RunDue();
  // engine_seal.cc
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done);
  // engine_removal.cc
  void Discard(LeaseRequest request, Done<absl::Status> done);
  // engine_relocate.cc
  void Relocate(RelocateRequest request, Done<absl::Status> done);
  // engine.cc
  absl::StatusOr<ObjectInfo> Stat(const ObjectId& object_id);
  absl::StatusOr<ListPage> List(const ListRequest& request);
  PeerStats Stats();
  void CountReads(absl::Span<const ObjectId> objects, uint64_t reads, uint64_t bytes);
  void AwaitIdle();

 private:
  using Stripe = ObjectTable::Stripe;
  using Record = ObjectRecord;

  // One object, whether it still has its id or not.
  struct Place {
    ObjectId object_id;
    uint64_t incarnation;
  };
  // One that has expired and is still in the archive.
  struct Removal {
    Place place;
    uint64_t bytes;  // of room that it makes
  };
  // How far an acquire got under the stripe's lock.
  struct Attempt {
    enum Result {
      kAnswered,  // `answer` is final
      kBlocked,   // `answer` says by what; may wait
      kDue,       // something is over and not yet reaped: reap, then try again
      kStarted,   // a CREATE lease was granted; room and blobs are to be made
      kChanging,  // the object's change decides; waits in any case
      kUnchecked  // the same, and the change is a check that is to be made
    };
    Result result;
    absl::StatusOr<Grant> answer;
    uint64_t incarnation = 0;  // of what is to be checked
  };
  struct Aftermath {
    std::vector<std::pair<Waiter, Attempt>> attempts;
    std::vector<std::unique_ptr<Record>> garbage;
    std::vector<std::shared_ptr<Blob>> bytes;  // of parked objects that are gone
    // Objects that nobody uses any more; mostly one, if any.
    absl::InlinedVector<std::shared_ptr<Object>, 1> closed;
    std::vector<ObjectId> dues;  // who waits for these is tried again once all is reaped
    std::vector<Place> checks;
    std::vector<Removal> removals;

    bool empty() const {
      return attempts.empty() && garbage.empty() && bytes.empty() && closed.empty() &&
             dues.empty() && checks.empty() && removals.empty();
    }
  };
  struct Sealing;

  // --- Acquire.

  Attempt Try(Stripe& stripe, const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  Attempt TryCreate(Stripe& stripe, const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  Attempt Blocked(ErrorKind kind, const AcquireRequest& request);
  // A READ lease was granted: counts, and tells who wants to know.
  void CountRead(Stripe& stripe, Record& record, OperationId operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  absl::StatusOr<Grant> GrantLease(Stripe& stripe, Record& record, const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  void Await(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  void StartCreate(Waiter waiter, Attempt attempt);
  // What this leaves to do goes to `aftermath`, so that however many wait, one that fails does not
  // answer the next one from within.
  void Settle(Waiter& waiter, Attempt& attempt, Aftermath& aftermath);
  absl::StatusOr<Grant> FinishCreate(const AcquireRequest& request, Grant grant,
                                     Aftermath& aftermath);
  absl::StatusOr<Object::Blobs> MakeBlobs(const AcquireRequest& request);

  // --- Seal.

  absl::Status BeginSeal(const SealRequest& request, Sealing& sealing);
  absl::Status Freeze(const SealRequest& request, Sealing& sealing);
  absl::StatusOr<std::string> Commit(const Sealing& sealing, const Metadata& metadata);
  absl::StatusOr<Sealed> FinishSeal(const SealRequest& request, Sealing& sealing);

  // --- How leases and objects end.

  // The live lease `id`, if `session` may use it.
  absl::StatusOr<Lease> FindLease(const LeaseId& id, SessionId session);
  static absl::Status WrongAccess(const Lease& lease, absl::string_view verb,
                                  absl::string_view needed);
  static absl::Status Gone();
  // What a lease that was taken out of the table leaves to do; `expired`: time took it out.
  void LeaseEnded(const Lease& lease, OperationId operation, bool expired, Aftermath& aftermath);
  void Unlease(Stripe& stripe, Record& record, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // From its first lease, or a change, to the end of the last: not a victim, and its room cannot be
  // made. Rest does nothing while something holds it.
  // A change also takes the object's own TTL off the queue; afterwards it is back.
  void BeginChange(Stripe& stripe, Record& record, Change change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  void EndChange(Stripe& stripe, Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Takes the id away from an object: its bytes go now, or with its last lease, or once the archive
  // has let go of it.
  void Retire(Stripe& stripe, Record& record, EventKind why, OperationId operation,
              Aftermath& aftermath) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Tries again for everybody who waits for the object. Creators come first: when it is gone, those
  // who want to read it then wait for the next one.
  void Wake(Stripe& stripe, const ObjectId& object_id, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Leaves `aftermath` empty.
  void Finish(Aftermath& aftermath) {
    if (!aftermath.empty()) FinishAll(aftermath);
  }
  void FinishAll(Aftermath& aftermath);
  void FinishOnMedium(Aftermath& aftermath);
  // Answers those of the waiters that still wait.
  void EndWaits(const std::vector<WaitTable::Place>& places, ErrorKind kind,
                absl::string_view message);

  absl::Status FinishDiscard(const LeaseRequest& request, const Lease& lease,
                             std::shared_ptr<Object> object);
  void ExpireObject(const Place& place);
  // Takes the next expired object out of the archive. False when there is none to begin with.
  bool RemoveExpired();
  void RemoveExpired(const Removal& removal);
  // Destroys what others left to be destroyed. False when there was nothing.
  bool Bury();

  // --- Objects that nobody uses. Of one in the archive the record keeps `rest`, of one in memory
  // what a ParkedObject says, once it is closed: as soon as nobody shares it. But what is opened
  // again soon after it was closed stays open for a while, where that is cheap, so that it is not
  // made anew each time. Not everything: many open objects are not in the cache when their turn to
  // be closed comes, and then it takes as long as the whole hit.

  // Somebody uses it now; nobody does any more.
  void Hold(Stripe& stripe, Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  void Rest(Stripe& stripe, Record& record, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Closes lingering objects: those that were still shared when their last lease ended, those that
  // were kept open.
  void Sweep(Stripe& stripe, Aftermath& aftermath) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // False: somebody shares it. Stays open for good where the store keeps its bytes in no other way.
  // Requires: open, at rest.
  bool Close(Stripe& stripe, Record& record, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Makes the object, if it is closed.
  void Open(Stripe& stripe, Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Gives back the bytes of an object that is gone and was parked.
  void FreeParked(Record& record, Aftermath& aftermath);

  // --- Relocation.

  // Whether `record` may move to `to`. `due`: once all is reaped that is over, it may.
  absl::Status CheckMove(Stripe& target, const Record& record, const ObjectId& to, bool& due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(target.mutex);
  void Move(Stripe& from, Stripe& target, Record& record, const RelocateRequest& request,
            Aftermath& aftermath) ABSL_EXCLUSIVE_LOCKS_REQUIRED(from.mutex, target.mutex);
  absl::Status FinishRelocate(const RelocateRequest& request, const Lease& lease);

  // --- What the archive has.

  std::shared_ptr<Object> ObjectOf(const Record& record) const {
    return record.object() != nullptr ? record.SharedObject()
                                      : archive_->Open(record.id, record.rest.view());
  }
  ObjectInfo InfoOf(const Record& record) const;
  void CheckObject(const Place& place);
  // Answers those who wait to read or write the object.
  void FailWaiters(const ObjectId& object_id, const absl::Status& status, Aftermath& aftermath);
  void Trim();

  // --- Room.

  // Makes room for `bytes` and charges them. `capacity`, and then nothing was evicted in vain; what
  // the archive says when it cannot evict.
  absl::Status Reserve(uint64_t bytes, OperationId operation);
  // A step towards room for `bytes`. False when none is left to take.
  absl::StatusOr<bool> MakeRoom(uint64_t bytes, OperationId operation);
  void Charge(uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void Credit(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  bool IsFull() const {
    return capacity_.has_value() && used_.load(std::memory_order_relaxed) > *capacity_;
  }
  // Whether evicting all that may be evicted would make room for `bytes`.
  bool CanMakeRoom(uint64_t bytes);
  // `capacity`, with what takes up the room and who holds it. Goes through all leases.
  absl::Status NoRoom(uint64_t bytes, uint64_t used);
  // Waits for a removal that others are at, if all of these together make room for `bytes`.
  bool AwaitRoom(uint64_t bytes);
  void RemovalBegins(uint64_t bytes) { coming_.fetch_add(bytes, std::memory_order_relaxed); }
  void RemovalEnds(uint64_t bytes);
  // Evicts the next victim and answers how many bytes are free for that: 0 when somebody still
  // shares them. `not_found` when there is no victim; otherwise why the archive would not let go.
  absl::StatusOr<uint64_t> EvictOne(OperationId operation);
  absl::StatusOr<uint64_t> FinishEviction(const Victim& victim, std::shared_ptr<Object> object,
                                          uint64_t bytes, OperationId operation);
  // For a medium that was found full of less than the capacity. False when it is not worth another
  // try. `freed` is what the tries for these `bytes` have freed so far.
  bool MakeMediumRoom(uint64_t bytes, uint64_t& freed, OperationId operation);

  // --- Time and the rest.

  bool AnythingDue() const { return NextDeadline() <= clock_.Now(); }
  Instant NextDeadline() const;
  void Expect(Instant deadline);
  void WatchExpiration(Record& record);
  void ForgetExpiration(Record& record);
  void Publish(EventKind kind, OperationId operation, const Record& record);
  template <typename Task>
  void OnMedium(Task task) {
    if (executor_ == nullptr) return std::move(task)();
    executor_->Run(std::move(task));
  }

  const absl::optional<uint64_t> capacity_;
  const bool verify_reads_;
  Clock& clock_;
  RandomSource& random_;
  EventSink& events_;
  ObjectIndex& index_;
  const std::function<void(absl::string_view)> log_;
  const std::function<std::string(SessionId)> describe_session_;
  const std::unique_ptr<BlobStore> store_;
  const std::unique_ptr<LeaseTable> leases_;
  const std::unique_ptr<EvictionPolicy> policy_;
  const std::unique_ptr<Archive> archive_;    // may be null
  const std::unique_ptr<Executor> executor_;  // may be null
  // In each stripe so many objects at rest, or up to twice that, are kept open of those that were
  // opened again while no more others were.
  const size_t kept_open_;

  ObjectTable objects_;
  WaitTable waits_;

  // Objects with a TTL of their own, by deadline.
  struct SoonerOver {
    bool operator()(const Record* a, const Record* b) const {
      return a->expiration()->deadline != b->expiration()->deadline
                 ? a->expiration()->deadline < b->expiration()->deadline
                 : a->incarnation < b->incarnation;
    }
  };
  mutable Mutex expirations_mutex_;
  absl::btree_set<Record*, SoonerOver> expirations_ ABSL_GUARDED_BY(expirations_mutex_);
  std::atomic<bool> any_expirations_{false};

  // What the executor is to destroy and to remove. Whoever needs room does it before its turn.
  Mutex garbage_mutex_;
  std::vector<std::unique_ptr<Record>> garbage_ ABSL_GUARDED_BY(garbage_mutex_);

  Mutex room_mutex_;
  CondVar room_changed_;
  std::vector<Removal> expired_ ABSL_GUARDED_BY(room_mutex_);
  // Bytes of `expired_`, and of what somebody is at removing. Falls under room_mutex_.
  std::atomic<uint64_t> coming_{0};

  // For List: how often an object has moved, and a way to keep it from moving.
  std::atomic<uint64_t> moves_{0};
  Mutex moving_mutex_;

  std::atomic<uint64_t> next_incarnation_{1};  // where there is no archive
  std::atomic<uint64_t> used_{0};              // bytes
  std::atomic<uint64_t> index_reads_{0};
  std::atomic<uint64_t> index_bytes_{0};
  std::atomic<uint64_t> evictions_{0};
  std::atomic<uint64_t> expired_objects_{0};
  std::atomic<uint64_t> expired_leases_{0};
  std::atomic<uint64_t> quarantined_{0};
  std::atomic<bool> stopping_{false};

  std::unique_ptr<Reaper> reaper_;  // last: its thread uses all of the above
};

}  // namespace packice
