// How an object goes: changes, discards, what has expired, and the end of bytes.
#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

// When a removal that failed is tried again, where nobody else will ask for it.
constexpr absl::Duration kRetry = absl::Seconds(10);

}  // namespace

void LocalPeer::Engine::BeginChange(Stripe& stripe, Record& record, Change change) {
  record.change = change;
  Hold(stripe, record);
  ForgetExpiration(record);
}

void LocalPeer::Engine::EndChange(Stripe& stripe, Record& record) {
  static_cast<void>(stripe);
  record.change = Change::kNone;
  WatchExpiration(record);
}

void LocalPeer::Engine::Retire(Stripe& stripe, Record& record, EventKind why, OperationId operation,
                               Aftermath& aftermath) {
  // Nobody was told of what is still being reserved.
  if (record.phase != Phase::kReserving) Publish(why, operation, record);
  const bool goes_now = record.leases == 0 && !record.archived;
  // In this order: who looks for room between the two sees it twice, never not at all
  // (CanMakeRoom).
  if (goes_now) Credit(record.charged);
  if (record.sealed()) {
    index_.Withdraw(record.id);
    policy_->Remove(record);
    if (!record.held) stripe.evictable.fetch_sub(record.charged, std::memory_order_release);
    record.held = true;
    // A lease to discard what is gone must not keep the next object from its id.
    if (record.custody() != nullptr) leases_->Share(record.custody()->lease).IgnoreError();
  }
  ForgetExpiration(record);
  std::unique_ptr<Record> extracted = stripe.Extract(record);
  if (goes_now) {
    FreeParked(*extracted, aftermath);
    aftermath.garbage.push_back(std::move(extracted));
  } else {
    stripe.detached.emplace(record.incarnation, std::move(extracted));
  }
  Wake(stripe, record.id, aftermath);
}

void LocalPeer::Engine::Discard(LeaseRequest request, Done<absl::Status> done) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return std::move(done)(lease.status());
  if (lease->access == Access::kRead) {
    return std::move(done)(WrongAccess(*lease, "discard", "acquire the object with intent write"));
  }
  Aftermath aftermath;
  std::shared_ptr<Object> archived;
  const absl::Status status = [&] {
    Stripe& stripe = objects_.StripeOf(lease->object_id);
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(lease->object_id, lease->incarnation);
    if (record != nullptr &&
        (record->phase == Phase::kSealing || record->phase == Phase::kCommitting ||
         record->change != Change::kNone)) {
      return MakeError(ErrorKind::kBusy,
                       "the object is being sealed or changed by another request");
    }
    // Through another lease it may have lost its id already.
    const bool live = record != nullptr && stripe.Find(lease->object_id) == record;
    if (live && record->archived) {
      BeginChange(stripe, *record, Change::kRemoving);
      archived = record->SharedObject();
      return absl::OkStatus();
    }
    if (!leases_->Remove(request.lease_id).has_value()) return Gone();
    if (record == nullptr) return absl::OkStatus();
    if (live) {
      Retire(stripe, *record, EventKind::kDiscarded, request.operation, aftermath);
      record = stripe.Find(lease->object_id, lease->incarnation);
    }
    Unlease(stripe, *record, aftermath);
    return absl::OkStatus();
  }();
  Finish(aftermath);
  if (archived == nullptr) return std::move(done)(status);
  OnMedium([this, request = std::move(request), lease = *std::move(lease),
            archived = std::move(archived), done = std::move(done)]() mutable {
    std::move(done)(FinishDiscard(request, lease, std::move(archived)));
  });
}

absl::Status LocalPeer::Engine::FinishDiscard(const LeaseRequest& request, const Lease& lease,
                                              std::shared_ptr<Object> object) {
  const absl::Status status = archive_->Remove(lease.incarnation, *object);
  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(lease.object_id);
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(lease.object_id, lease.incarnation);
    EndChange(stripe, *record);
    if (status.ok()) {
      record->archived = false;
      // Not ours to end any more if its time was over meanwhile.
      const bool ours = leases_->Remove(request.lease_id).has_value();
      Retire(stripe, *record, EventKind::kDiscarded, request.operation, aftermath);
      if (ours) Unlease(stripe, *stripe.Find(lease.object_id, lease.incarnation), aftermath);
    } else {
      Wake(stripe, record->id, aftermath);
      Rest(stripe, *record, aftermath);
    }
  }
  // The bytes go here, so that whoever hears that they are gone finds their room.
  object.reset();
  aftermath.garbage.clear();
  Finish(aftermath);
  return status;
}

void LocalPeer::Engine::ExpireObject(const Place& place) {
  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(place.object_id);
    MutexLock lock(stripe.mutex);
    Record* record = stripe.Find(place.object_id, place.incarnation);
    if (record == nullptr || record->expiration() == nullptr || !record->expiration()->queued)
      return;
    ForgetExpiration(*record);
    const bool live = stripe.Find(place.object_id) == record;
    // Nobody sees it from now on, whether the archive can let go of it or not.
    if (record->archived) {
      const uint64_t bytes = record->leases == 0 ? record->charged : 0;
      RemovalBegins(bytes);
      aftermath.removals.push_back({place, bytes});
    }
    if (live) {
      expired_objects_.fetch_add(1, std::memory_order_relaxed);
      Retire(stripe, *record, EventKind::kExpired, OperationId::kNone, aftermath);
    }
  }
  Finish(aftermath);
}

bool LocalPeer::Engine::RemoveExpired() {
  Removal removal;
  {
    MutexLock lock(room_mutex_);
    if (expired_.empty()) return false;
    removal = std::move(expired_.back());
    expired_.pop_back();
  }
  RemoveExpired(removal);
  return true;
}

void LocalPeer::Engine::RemoveExpired(const Removal& removal) {
  const Place& place = removal.place;
  Stripe& stripe = objects_.StripeOf(place.object_id);
  std::shared_ptr<Object> object;
  {
    MutexLock lock(stripe.mutex);
    object = ObjectOf(*stripe.Find(place.object_id, place.incarnation));
  }
  const absl::Status status = archive_->Remove(place.incarnation, *object);
  std::unique_ptr<Record> garbage;
  {
    MutexLock lock(stripe.mutex);
    const auto detached = stripe.detached.find(place.incarnation);
    Record& record = *detached->second;
    if (!status.ok()) {
      record.expiration()->deadline = clock_.Now() + kRetry;
      WatchExpiration(record);
    } else {
      record.archived = false;
      if (record.leases == 0) {  // otherwise its last holder ends it
        Credit(record.charged);
        garbage = std::move(detached->second);
        stripe.detached.erase(detached);
      }
    }
  }
  if (!status.ok()) {
    log_(absl::StrCat(
        "object ", place.object_id.ToQuoted(),
        " has expired and cannot be removed; its bytes stay for now: ", status.message()));
  }
  object.reset();
  garbage.reset();
  RemovalEnds(removal.bytes);
}

bool LocalPeer::Engine::Bury() {
  std::vector<std::unique_ptr<Record>> garbage;
  {
    MutexLock lock(garbage_mutex_);
    garbage.swap(garbage_);
  }
  return !garbage.empty();
}

}  // namespace packice
