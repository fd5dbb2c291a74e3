// LocalPeer's inside. See local_peer.h for the contract.
//
// Locks: an object's stripe first; below it, never two at once, the leaf locks of the lease table,
// the wait table, the eviction policy, the expiry queue and the reaper. What must happen without a
// lock (callbacks, the death of bytes) is collected in an Aftermath and done once the stripe is
// free.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "object_table.h"
#include "packice/core/error.h"
#include "packice/peers/local_peer.h"
#include "reaper.h"
#include "wait_table.h"

namespace packice {

class LocalPeer::Engine {
 public:
  Engine(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
         std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options);
  ~Engine();

  // engine_acquire.cc
  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  // engine_leases.cc
  absl::StatusOr<Sealed> Seal(const SealRequest& request);
  absl::Status Discard(const LeaseRequest& request);
  absl::Status Release(const LeaseRequest& request);
  absl::StatusOr<absl::Duration> Renew(const RenewRequest& request);
  void Cancel(OperationId operation);
  void EndSession(SessionId session);
  Instant RunDue();
  // engine.cc
  absl::StatusOr<ObjectInfo> Stat(const ObjectId& object_id);
  absl::StatusOr<ListPage> List(const ListRequest& request);
  PeerStats Stats();

 private:
  using Stripe = ObjectTable::Stripe;
  using Record = ObjectRecord;

  // How far an acquire got under the stripe's lock.
  struct Attempt {
    enum Result {
      kAnswered,  // `answer` is final
      kBlocked,   // `answer` says by what; may wait
      kDue,       // something is over and not yet reaped: reap, then try again
      kStarted,   // a CREATE lease was granted; room and blobs are to be made
    };
    Result result;
    absl::StatusOr<Grant> answer;
  };
  struct Aftermath {
    std::vector<std::pair<Waiter, Attempt>> attempts;
    std::vector<std::unique_ptr<Record>> garbage;
  };

  Attempt Try(Stripe& stripe, const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  Attempt TryCreate(Stripe& stripe, const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  Attempt Blocked(ErrorKind kind, const AcquireRequest& request);
  absl::StatusOr<Grant> GrantLease(Stripe& stripe, Record& record, const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // What this leaves to do goes to `aftermath`, so that however many wait, one that fails does not
  // answer the next one from within.
  void Settle(Waiter waiter, Attempt attempt, Aftermath& aftermath);
  absl::StatusOr<Grant> FinishCreate(const AcquireRequest& request, Grant grant,
                                     Aftermath& aftermath);
  absl::StatusOr<Object::Blobs> MakeBlobs(const AcquireRequest& request);

  // Takes the id away from an object: its bytes go now, or with its last lease.
  void Retire(Stripe& stripe, Record& record, EventKind why, OperationId operation,
              Aftermath& aftermath) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // What a lease that was taken out of the table leaves to do; `expired`: time took it out.
  void LeaseEnded(const Lease& lease, OperationId operation, bool expired, Aftermath& aftermath);
  void Unlease(Stripe& stripe, Record& record, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  // Tries again for everybody who waits for the object. Creators come first: when it is gone, those
  // who want to read it then wait for the next one.
  void Wake(Stripe& stripe, const ObjectId& object_id, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  void Finish(Aftermath aftermath);
  // Answers those of the waiters that still wait.
  void EndWaits(const std::vector<WaitTable::Place>& places, ErrorKind kind,
                absl::string_view message);

  // The live lease `id`, if `session` may use it.
  absl::StatusOr<Lease> FindLease(const LeaseId& id, SessionId session);

  // Makes room for `bytes` and charges them. `capacity`, and then nothing was evicted in vain.
  absl::Status Reserve(uint64_t bytes, OperationId operation);
  void Credit(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  // Whether evicting all that may be evicted would make room for `bytes`.
  bool CanMakeRoom(uint64_t bytes);
  bool EvictOne(OperationId operation);
  void ExpireObject(const ObjectId& object_id, uint64_t incarnation);

  bool AnythingDue() const { return NextDeadline() <= clock_.Now(); }
  Instant NextDeadline() const;
  void Expect(Instant deadline);
  void Publish(EventKind kind, OperationId operation, const Record& record);

  const absl::optional<uint64_t> capacity_;
  Clock& clock_;
  RandomSource& random_;
  EventSink& events_;
  const std::unique_ptr<BlobStore> store_;
  const std::unique_ptr<LeaseTable> leases_;
  const std::unique_ptr<EvictionPolicy> policy_;

  ObjectTable objects_;
  WaitTable waits_;

  // Objects with a TTL of their own, by deadline.
  struct Expiry {
    Instant deadline;
    uint64_t incarnation;
    ObjectId object_id;
    bool operator<(const Expiry& other) const {
      return std::tie(deadline, incarnation) < std::tie(other.deadline, other.incarnation);
    }
  };
  mutable Mutex expiries_mutex_;
  absl::btree_set<Expiry> expiries_ ABSL_GUARDED_BY(expiries_mutex_);
  std::atomic<bool> any_expiries_{false};

  std::atomic<uint64_t> next_incarnation_{1};
  std::atomic<uint64_t> used_{0};  // bytes
  std::atomic<uint64_t> evictions_{0};
  std::atomic<uint64_t> expired_objects_{0};
  std::atomic<uint64_t> expired_leases_{0};

  std::unique_ptr<Reaper> reaper_;  // last: its thread uses all of the above
};

}  // namespace packice
