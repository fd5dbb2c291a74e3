// A peer to be checked by reading it: one mutex, two maps, every question a walk through them. The
// rules of leases with nothing in their way; what a transport, a tier or a client is tested over
// where a real peer would be out of reach. Thread-safe.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/types/span.h"
#include "packice/core/blob_store.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"

namespace packice {

struct PlainPeerOptions {
  absl::optional<uint64_t> capacity;  // bytes
};

class PlainPeer final : public Peer {
 public:
  // All of them outlive the peer.
  PlainPeer(BlobStore& store, const Clock& clock, RandomSource& random,
            EventSink& events = EventSink::Null(), PlainPeerOptions options = {});
  ~PlainPeer() override;

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId operation) override;
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

  // Does what time has made due. There is no timer: a test that moves the clock calls this. Every
  // other call does so first, too.
  void RunDue();

 private:
  struct Entry {
    std::shared_ptr<Object> object;
    bool growing = false;                // created without a size
    absl::optional<absl::Duration> ttl;  // of the object, from Seal on
    Instant deadline = absl::InfiniteDuration();
    absl::optional<absl::Time> expires_at;
    int64_t last_used = 0;  // the least goes first: at its seal and at each read one more
    bool due = false;       // it would have gone if it had not been leased: it goes next
  };
  struct Held {
    Lease lease;
    std::shared_ptr<Entry> entry;
  };
  struct Waiter {
    AcquireRequest request;
    Instant deadline;
    Done<absl::StatusOr<Grant>> done;
  };
  // Callbacks to run once the mutex is free.
  using Answers = std::vector<absl::AnyInvocable<void() &&>>;

  // Every call is Run(what it does): time first, then the call, then whoever waited for it, then
  // callbacks.
  template <typename Call>
  void Run(Call call);
  void Expire(Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettleWaiters(Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Predicate>
  void EndWaits(Predicate predicate, const absl::Status& status, Answers& answers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<Grant> TryAcquire(const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<Entry>> NewEntry(const AcquireRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeRoom(absl::Span<const uint64_t> sizes, OperationId operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DoSeal(const SealRequest& request, Held& held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DoRelocate(const RelocateRequest& request, const Held& held)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLease(const LeaseId& id, OperationId operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Frees the id; the bytes stay with whoever shares the object.
  void Drop(const Entry& entry, EventKind why, OperationId operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // `lease_expired` or, of another session, `permission_denied`.
  absl::StatusOr<Held*> FindLease(const LeaseId& id, SessionId session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t LeasesOn(const Entry& entry, bool writers_only = false) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t Bytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ObjectInfo InfoOn(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  BlobStore& store_;
  const Clock& clock_;
  RandomSource& random_;
  EventSink& events_;
  const PlainPeerOptions options_;

  Mutex mutex_;
  std::map<ObjectId, std::shared_ptr<Entry>> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<LeaseId, Held> leases_ ABSL_GUARDED_BY(mutex_);
  std::list<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);  // first come, first served
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t dues_ ABSL_GUARDED_BY(mutex_) = 0;
  PeerStats counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
