// What holders do with their leases, and how leases, waits and objects end.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

// Reaped at a time, so that a mass expiry does not hold up what else is due.
constexpr size_t kReapBatch = 1024;

absl::Status WrongAccess(const Lease& lease, absl::string_view verb, absl::string_view needed) {
  return MakeError(ErrorKind::kPermissionDenied,
                   absl::StrCat("a ", AccessName(lease.access), " lease cannot ", verb, "; ", needed));
}

absl::Status Gone() {
  return MakeError(ErrorKind::kLeaseExpired, "the object was taken away; the lease is over");
}

}  // namespace

absl::StatusOr<Lease> LocalPeer::Engine::FindLease(const LeaseId& id, SessionId session) {
  absl::StatusOr<Lease> lease = leases_->Find(id);
  if (lease.ok() && lease->session != SessionId::kNone && lease->session != session) {
    return MakeError(ErrorKind::kPermissionDenied,
                     "the lease belongs to another connection; only a lease with a TTL can be "
                     "used by whoever knows its id");
  }
  return lease;
}

absl::StatusOr<Sealed> LocalPeer::Engine::Seal(const SealRequest& request) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return lease.status();
  if (lease->access != Access::kCreate) return WrongAccess(*lease, "seal", "create one");

  Stripe& stripe = objects_.StripeOf(lease->object_id);
  std::shared_ptr<Object> object;
  absl::optional<absl::Duration> ttl;
  uint64_t charged = 0;
  {
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(lease->object_id, lease->incarnation);
    if (record == nullptr) return Gone();
    if (record->phase == Phase::kSealed) {
      return MakeError(ErrorKind::kAlreadyExists,
                       absl::StrCat("object ", record->id.ToQuoted(), " is sealed already"));
    }
    if (record->phase != Phase::kCreating) {
      return MakeError(ErrorKind::kBusy, "the object is being sealed by another request");
    }
    record->phase = Phase::kSealing;
    object = record->object;
    ttl = record->ttl;
    charged = record->charged;
  }

  // What was written beyond the declared size (where none was declared) needs room of its own.
  const uint64_t final_size = std::max(object->size(), request.size.value_or(0));
  const uint64_t more = final_size > charged ? final_size - charged : 0;
  absl::Status status = more > 0 ? Reserve(more) : absl::OkStatus();
  if (status.ok()) {
    status = object->Seal(request.size, request.metadata, clock_.WallTime());
    if (!status.ok()) Credit(more);
  }

  Aftermath aftermath;
  {
    MutexLock lock(stripe.mutex);
    Record& record = *stripe.Find(lease->object_id, lease->incarnation);
    record.phase = Phase::kCreating;
    if (status.ok()) {
      record.charged = object->size();
      // Reserved by what was seen before the seal; corrected by what is.
      used_.fetch_add(record.charged - (charged + more), std::memory_order_relaxed);
    }
    if (record.abandoned) {
      status = Gone();
      Retire(stripe, record, EventKind::kAbandoned, request.operation, aftermath);
    } else if (status.ok()) {
      record.phase = Phase::kSealed;
      --stripe.creating;
      record.eviction.object_id = &record.id;
      record.eviction.incarnation = record.incarnation;
      record.eviction.size = record.charged;
      policy_->Insert(record.eviction);
      policy_->Pin(record.eviction);
      // Fails only if the lease has just run out; whoever reaps it finds the object sealed.
      leases_->Share(request.lease_id).IgnoreError();
      if (ttl.has_value()) {
        record.expires_at = clock_.WallTime() + *ttl;
        record.deadline = clock_.Now() + *ttl;
        MutexLock expiries_lock(expiries_mutex_);
        expiries_.insert(Expiry{record.deadline, record.incarnation, record.id});
        any_expiries_.store(true, std::memory_order_release);
      }
      Expect(record.deadline);
      Publish(EventKind::kSealed, request.operation, record);
      Wake(stripe, record.id, /*gone=*/false, aftermath);
    }
  }
  Finish(std::move(aftermath));
  if (!status.ok()) return status;
  return Sealed{lease->object_id, object->size()};
}

absl::Status LocalPeer::Engine::Discard(const LeaseRequest& request) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return lease.status();
  if (lease->access == Access::kRead) {
    return WrongAccess(*lease, "discard", "acquire the object with intent write");
  }
  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(lease->object_id);
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(lease->object_id, lease->incarnation);
    if (record != nullptr && record->phase == Phase::kSealing) {
      return MakeError(ErrorKind::kBusy, "the object is being sealed by another request");
    }
    if (!leases_->Remove(request.lease_id).has_value()) return Gone();
    if (record == nullptr) return absl::OkStatus();
    // Through another lease it may have lost its id already.
    if (stripe.Find(lease->object_id) == record) {
      Retire(stripe, *record, EventKind::kDiscarded, request.operation, aftermath);
      record = stripe.Find(lease->object_id, lease->incarnation);
    }
    Unlease(stripe, *record, request.operation, aftermath);
  }
  Finish(std::move(aftermath));
  return absl::OkStatus();
}

absl::Status LocalPeer::Engine::Release(const LeaseRequest& request) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) {
    return KindOf(lease.status()) == ErrorKind::kLeaseExpired ? absl::OkStatus() : lease.status();
  }
  if (leases_->Remove(request.lease_id).has_value()) LeaseEnded(*lease, request.operation);
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> LocalPeer::Engine::Renew(const RenewRequest& request) {
  if (request.ttl <= absl::ZeroDuration()) {
    return MakeError(ErrorKind::kInvalidArgument, "a lease's TTL is over 0 seconds");
  }
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return lease.status();
  const Instant deadline = clock_.Now() + request.ttl;
  absl::Status status = leases_->Extend(request.lease_id, request.ttl, deadline);
  if (!status.ok()) return status;
  Expect(deadline);
  return request.ttl;
}

void LocalPeer::Engine::LeaseEnded(const Lease& lease, OperationId operation) {
  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(lease.object_id);
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(lease.object_id, lease.incarnation);
    if (record == nullptr) return;
    if (lease.id == record->creator && record->phase != Phase::kSealed) {
      if (record->phase != Phase::kCreating) {
        record->abandoned = true;
        --record->leases;
        return;
      }
      Retire(stripe, *record, EventKind::kAbandoned, operation, aftermath);
      record = stripe.Find(lease.object_id, lease.incarnation);
    }
    Unlease(stripe, *record, operation, aftermath);
    if (lease.access == Access::kWrite) Wake(stripe, lease.object_id, false, aftermath);
  }
  Finish(std::move(aftermath));
}

void LocalPeer::Engine::Unlease(Stripe& stripe, Record& record, OperationId, Aftermath& aftermath) {
  if (--record.leases > 0) return;
  const auto detached = stripe.detached.find(record.incarnation);
  if (detached == stripe.detached.end()) {
    if (record.phase == Phase::kSealed) policy_->Unpin(record.eviction);
    return;
  }
  Credit(record.charged);
  aftermath.garbage.push_back(std::move(detached->second));
  stripe.detached.erase(detached);
}

void LocalPeer::Engine::Retire(Stripe& stripe, Record& record, EventKind why, OperationId operation,
                               Aftermath& aftermath) {
  Publish(why, operation, record);
  if (record.phase == Phase::kSealed) policy_->Remove(record.eviction);
  if (record.deadline != absl::InfiniteDuration()) {
    MutexLock lock(expiries_mutex_);
    expiries_.erase(Expiry{record.deadline, record.incarnation, ObjectId()});
    any_expiries_.store(!expiries_.empty(), std::memory_order_release);
  }
  // A lease to discard what is gone must not keep the next object from its id.
  if (record.writer != LeaseId()) leases_->Share(record.writer).IgnoreError();
  std::unique_ptr<Record> extracted = stripe.Extract(record);
  if (record.leases > 0) {
    stripe.detached.emplace(record.incarnation, std::move(extracted));
  } else {
    Credit(record.charged);
    aftermath.garbage.push_back(std::move(extracted));
  }
  Wake(stripe, record.id, /*gone=*/true, aftermath);
}

void LocalPeer::Engine::Wake(Stripe& stripe, const ObjectId& object_id, bool gone,
                             Aftermath& aftermath) {
  if (!waits_.Any()) return;
  std::vector<Waiter> waiters = waits_.TakeObject(object_id);
  if (gone) {
    std::stable_partition(waiters.begin(), waiters.end(), [](const Waiter& waiter) {
      return waiter.request.access == Access::kCreate;
    });
  }
  for (Waiter& waiter : waiters) {
    Attempt attempt = Try(stripe, waiter.request);
    if (attempt.result == Attempt::kBlocked || attempt.result == Attempt::kDue) {
      waits_.Add(std::move(waiter));
    } else {
      aftermath.attempts.emplace_back(std::move(waiter), std::move(attempt));
    }
  }
}

void LocalPeer::Engine::Finish(Aftermath aftermath) {
  for (auto& [waiter, attempt] : aftermath.attempts) Settle(std::move(waiter), std::move(attempt));
}

void LocalPeer::Engine::Cancel(OperationId operation) {
  for (Waiter& waiter : waits_.TakeOperation(operation)) {
    std::move(waiter.done)(MakeError(ErrorKind::kTimeout, "the wait was cancelled"));
  }
}

void LocalPeer::Engine::EndSession(SessionId session) {
  for (Waiter& waiter : waits_.TakeSession(session)) {
    std::move(waiter.done)(MakeError(ErrorKind::kUnavailable, "the session has ended"));
  }
  for (const Lease& lease : leases_->RemoveSession(session)) LeaseEnded(lease, OperationId::kNone);
}

void LocalPeer::Engine::ExpireObject(const ObjectId& object_id, uint64_t incarnation) {
  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(object_id);
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(object_id);
    if (record == nullptr || record->incarnation != incarnation) return;
    expired_objects_.fetch_add(1, std::memory_order_relaxed);
    Retire(stripe, *record, EventKind::kExpired, OperationId::kNone, aftermath);
  }
  Finish(std::move(aftermath));
}

Instant LocalPeer::Engine::RunDue() {
  const Instant now = clock_.Now();
  while (true) {
    const std::vector<Lease> expired = leases_->RemoveExpired(now, kReapBatch);
    for (const Lease& lease : expired) {
      expired_leases_.fetch_add(1, std::memory_order_relaxed);
      events_.Publish(Event{EventKind::kLeaseExpired, OperationId::kNone, lease.object_id, 0});
      LeaseEnded(lease, OperationId::kNone);
    }
    if (expired.size() < kReapBatch) break;
  }
  for (Waiter& waiter : waits_.TakeDue(now)) {
    std::move(waiter.done)(
        MakeError(ErrorKind::kTimeout, absl::StrCat("object ", waiter.request.object_id.ToQuoted(),
                                                    " was not to be had within the wait")));
  }
  if (any_expiries_.load(std::memory_order_acquire)) {
    std::vector<Expiry> due;
    {
      MutexLock lock(expiries_mutex_);
      for (const Expiry& expiry : expiries_) {
        if (expiry.deadline > now) break;
        due.push_back(expiry);
      }
    }
    for (const Expiry& expiry : due) ExpireObject(expiry.object_id, expiry.incarnation);
  }
  return NextDeadline();
}

}  // namespace packice
