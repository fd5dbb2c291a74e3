// What holders do with their leases, and how leases, waits and objects end.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

// Reaped at a time, so that a mass expiry does not hold up what else is due.
constexpr size_t kReapBatch = 1024;

}  // namespace

absl::Status LocalPeer::Engine::WrongAccess(const Lease& lease, absl::string_view verb,
                                            absl::string_view needed) {
  return MakeError(
      ErrorKind::kPermissionDenied,
      absl::StrCat("a ", AccessName(lease.access), " lease cannot ", verb, "; ", needed));
}

absl::Status LocalPeer::Engine::Gone() {
  return MakeError(ErrorKind::kLeaseExpired, "the object was taken away; the lease is over");
}

absl::StatusOr<Lease> LocalPeer::Engine::FindLease(const LeaseId& id, SessionId session) {
  absl::StatusOr<Lease> lease = leases_->Find(id);
  if (lease.ok() && lease->session != SessionId::kNone && lease->session != session) {
    return MakeError(ErrorKind::kPermissionDenied,
                     "the lease belongs to another connection; only a lease with a TTL can be "
                     "used by whoever knows its id");
  }
  return lease;
}

absl::StatusOr<Grant> LocalPeer::Engine::Lookup(const LeaseRequest& request) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return lease.status();
  Stripe& stripe = objects_.StripeOf(lease->object_id);
  MutexLock lock(stripe.mutex);
  const Record* record = stripe.Find(lease->object_id, lease->incarnation);
  // Without an object it has not been granted yet.
  if (record == nullptr || record->object() == nullptr) return Gone();
  return Grant{*std::move(lease), record->SharedObject()};
}

absl::Status LocalPeer::Engine::Release(const LeaseRequest& request) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) {
    return KindOf(lease.status()) == ErrorKind::kLeaseExpired ? absl::OkStatus() : lease.status();
  }
  if (leases_->Remove(request.lease_id).has_value()) {
    Aftermath aftermath;
    LeaseEnded(*lease, request.operation, /*expired=*/false, aftermath);
    Finish(aftermath);
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
  if (!stripe.departed.empty() && stripe.departed.erase(lease.id) > 0) return;
  Record* record = stripe.Find(lease.object_id, lease.incarnation);
  if (record == nullptr) return;
  if (!record->sealed() && lease.id == record->custody()->lease) {
    if (record->phase != Phase::kCreating) {
      record->custody()->abandoned = true;
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
    if (record.sealed()) Rest(stripe, record, aftermath);
    return;
  }
  if (record.archived) return;  // whoever takes it out of the archive does the rest
  Credit(record.charged);
  aftermath.garbage.push_back(std::move(detached->second));
  stripe.detached.erase(detached);
}

void LocalPeer::Engine::Wake(Stripe& stripe, const ObjectId& object_id, Aftermath& aftermath) {
  if (!waits_.Any()) return;
  const auto is_changing = [&](const Attempt& attempt) {
    if (attempt.result == Attempt::kUnchecked) {
      aftermath.checks.push_back({object_id, attempt.incarnation});
    }
    return attempt.result == Attempt::kChanging || attempt.result == Attempt::kUnchecked;
  };
  for (const Access access : {Access::kCreate, Access::kWrite, Access::kRead}) {
    while (const AcquireRequest* request = waits_.First(object_id, access)) {
      Attempt attempt = Try(stripe, *request);
      // What stands in the way of one stands in the way of all behind it.
      if (attempt.result == Attempt::kBlocked || attempt.result == Attempt::kDue ||
          is_changing(attempt)) {
        break;
      }
      aftermath.attempts.emplace_back(waits_.TakeFirst(object_id, access), std::move(attempt));
    }
  }
  // The change that these waited for is over. For what else is in their way they do not wait.
  while (const AcquireRequest* request = waits_.FirstImpatient(object_id)) {
    Attempt attempt = Try(stripe, *request);
    if (is_changing(attempt)) break;
    if (attempt.result == Attempt::kDue) {
      aftermath.dues.push_back(object_id);
      break;
    }
    aftermath.attempts.emplace_back(waits_.TakeFirstImpatient(object_id), std::move(attempt));
  }
}

void LocalPeer::Engine::FinishAll(Aftermath& aftermath) {
  do {
    Aftermath next;
    FinishOnMedium(aftermath);
    for (auto& [waiter, attempt] : aftermath.attempts) {
      if (attempt.result == Attempt::kStarted && executor_ != nullptr) {
        StartCreate(std::move(waiter), std::move(attempt));
      } else {
        Settle(waiter, attempt, next);
      }
    }
    for (const ObjectId& object_id : aftermath.dues) {
      RunDue();
      Stripe& stripe = objects_.StripeOf(object_id);
      MutexLock lock(stripe.mutex);
      Wake(stripe, object_id, next);
    }
    aftermath = std::move(next);
  } while (!aftermath.empty());
}

void LocalPeer::Engine::FinishOnMedium(Aftermath& aftermath) {
  if (executor_ != nullptr && !aftermath.garbage.empty()) {
    {
      MutexLock lock(garbage_mutex_);
      for (auto& record : aftermath.garbage) garbage_.push_back(std::move(record));
    }
    OnMedium([this] { Bury(); });
  }
  aftermath.garbage.clear();
  aftermath.bytes.clear();
  for (Removal& removal : aftermath.removals) {
    {
      MutexLock lock(room_mutex_);
      expired_.push_back(std::move(removal));
      room_changed_.NotifyAll();
    }
    OnMedium([this] { RemoveExpired(); });
  }
  for (Place& place : aftermath.checks) {
    OnMedium([this, place = std::move(place)] { CheckObject(place); });
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
  Finish(aftermath);
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
    Finish(aftermath);
    if (expired.size() < kReapBatch) break;
  }
  EndWaits(waits_.DueBy(now), ErrorKind::kTimeout, " took longer than it was given");
  if (any_expirations_.load(std::memory_order_acquire)) {
    std::vector<Place> due;
    {
      MutexLock lock(expirations_mutex_);
      for (const Record* record : expirations_) {
        if (record->expiration()->deadline > now) break;
        due.push_back({record->id, record->incarnation});
      }
    }
    for (const Place& place : due) ExpireObject(place);
  }
  return NextDeadline();
}

}  // namespace packice
