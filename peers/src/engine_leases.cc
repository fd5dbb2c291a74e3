// What holders do with their leases, and how leases, waits and objects end.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

// Reaped at a time, so that a mass expiry does not hold up what else is due.
constexpr size_t kReapBatch = 1024;

absl::Status WrongAccess(const Lease& lease, absl::string_view verb, absl::string_view needed) {
  return MakeError(
      ErrorKind::kPermissionDenied,
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
  bool growing = false;
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
    growing = record->growing;
    charged = record->charged;
  }

  // Where no size was declared, what was written needs its room now.
  const uint64_t more = growing ? request.size.value_or(object->size()) : 0;
  absl::Status status = more > 0 ? Reserve(more, request.operation) : absl::OkStatus();
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
      Wake(stripe, record.id, aftermath);
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
    Unlease(stripe, *record, aftermath);
  }
  Finish(std::move(aftermath));
  return absl::OkStatus();
}

absl::Status LocalPeer::Engine::Release(const LeaseRequest& request) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) {
    return KindOf(lease.status()) == ErrorKind::kLeaseExpired ? absl::OkStatus() : lease.status();
  }
  if (leases_->Remove(request.lease_id).has_value()) {
    Aftermath aftermath;
    LeaseEnded(*lease, request.operation, /*expired=*/false, aftermath);
    Finish(std::move(aftermath));
  }
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

void LocalPeer::Engine::LeaseEnded(const Lease& lease, OperationId operation, bool expired,
                                   Aftermath& aftermath) {
  Stripe& stripe = objects_.StripeOf(lease.object_id);
  MutexLock lock(stripe.mutex);
  if (expired) events_.Publish(Event{EventKind::kLeaseExpired, operation, lease.object_id, 0});
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
  Unlease(stripe, *record, aftermath);
  if (lease.access == Access::kWrite) Wake(stripe, lease.object_id, aftermath);
}

void LocalPeer::Engine::Unlease(Stripe& stripe, Record& record, Aftermath& aftermath) {
  if (--record.leases > 0) return;
  const auto detached = stripe.detached.find(record.incarnation);
  if (detached == stripe.detached.end()) {
    if (record.phase == Phase::kSealed) {
      policy_->Unpin(record.eviction);
      stripe.evictable.fetch_add(record.charged, std::memory_order_relaxed);
    }
    return;
  }
  Credit(record.charged);
  aftermath.garbage.push_back(std::move(detached->second));
  stripe.detached.erase(detached);
}

void LocalPeer::Engine::Retire(Stripe& stripe, Record& record, EventKind why, OperationId operation,
                               Aftermath& aftermath) {
  // Nobody was told of what is still being reserved.
  if (record.phase != Phase::kReserving) Publish(why, operation, record);
  if (record.phase == Phase::kSealed) {
    policy_->Remove(record.eviction);
  }
  if (record.leases == 0) {
    // In this order: who looks for room between the two sees it twice, never not at all
    // (CanMakeRoom).
    Credit(record.charged);
    if (record.phase == Phase::kSealed) {
      stripe.evictable.fetch_sub(record.charged, std::memory_order_release);
    }
  }
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
    aftermath.garbage.push_back(std::move(extracted));
  }
  Wake(stripe, record.id, aftermath);
}

void LocalPeer::Engine::Wake(Stripe& stripe, const ObjectId& object_id, Aftermath& aftermath) {
  if (!waits_.Any()) return;
  for (const Access access : {Access::kCreate, Access::kWrite, Access::kRead}) {
    while (const AcquireRequest* request = waits_.First(object_id, access)) {
      Attempt attempt = Try(stripe, *request);
      // What stands in the way of one stands in the way of all behind it.
      if (attempt.result == Attempt::kBlocked || attempt.result == Attempt::kDue) break;
      aftermath.attempts.emplace_back(waits_.TakeFirst(object_id, access), std::move(attempt));
    }
  }
}

void LocalPeer::Engine::Finish(Aftermath aftermath) {
  aftermath.garbage.clear();
  while (!aftermath.attempts.empty()) {
    Aftermath next;
    for (auto& [waiter, attempt] : aftermath.attempts) {
      Settle(std::move(waiter), std::move(attempt), next);
    }
    aftermath = std::move(next);
  }
}

void LocalPeer::Engine::EndWaits(const std::vector<WaitTable::Place>& places, ErrorKind kind,
                                 absl::string_view message) {
  for (const WaitTable::Place& place : places) {
    absl::optional<Waiter> waiter;
    {
      Stripe& stripe = objects_.StripeOf(place.object_id);
      MutexLock lock(stripe.mutex);
      waiter = waits_.Take(place.ticket);
    }
    if (!waiter.has_value()) continue;
    std::move(waiter->done)(
        MakeError(kind, absl::StrCat("the wait for object ", place.object_id.ToQuoted(), message)));
  }
}

void LocalPeer::Engine::Cancel(OperationId operation) {
  EndWaits(waits_.OfOperation(operation), ErrorKind::kTimeout, " was cancelled");
}

void LocalPeer::Engine::EndSession(SessionId session) {
  // Waits first: one that is granted meanwhile leaves a lease, which goes with the others.
  EndWaits(waits_.OfSession(session), ErrorKind::kUnavailable, " ended with its session");
  Aftermath aftermath;
  for (const Lease& lease : leases_->RemoveSession(session)) {
    LeaseEnded(lease, OperationId::kNone, /*expired=*/false, aftermath);
  }
  Finish(std::move(aftermath));
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
    Aftermath aftermath;
    for (const Lease& lease : expired) {
      expired_leases_.fetch_add(1, std::memory_order_relaxed);
      LeaseEnded(lease, OperationId::kNone, /*expired=*/true, aftermath);
    }
    Finish(std::move(aftermath));
    if (expired.size() < kReapBatch) break;
  }
  EndWaits(waits_.DueBy(now), ErrorKind::kTimeout, " took longer than it was given");
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
