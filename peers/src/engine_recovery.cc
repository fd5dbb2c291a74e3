// What the archive has: taken over at the start, and looked at before it is handed out.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {

absl::Status LocalPeer::Engine::Recover() {
  const Instant now = clock_.Now();
  const absl::Time wall_now = clock_.WallTime();
  std::vector<std::pair<int64_t, Record*>> sealed_order;
  const absl::Status status = archive_->ForEach([&](ArchivedObject object) {
    auto record = std::make_unique<Record>();
    record->id = std::move(object.id);
    record->incarnation = object.serial;
    record->charged = object.footprint;
    record->phase = Phase::kSealed;
    record->archived = true;
    record->rest = PackedBytes(object.rest);
    if (object.expires_at.has_value()) {
      Expiration& expiration = record->MakeExpiration();
      expiration.expires_at = *object.expires_at;
      expiration.deadline = now + (*object.expires_at - wall_now);
    }
    sealed_order.emplace_back(absl::ToUnixNanos(object.sealed_at), record.get());
    Charge(record->charged);
    Stripe& stripe = objects_.StripeOf(record->id);
    MutexLock lock(stripe.mutex);
    stripe.evictable.fetch_add(record->charged, std::memory_order_relaxed);
    stripe.Insert(std::move(record));
  });
  if (!status.ok()) return status;
  // Whose use lies back furthest is not known any more; whose making does, is.
  std::sort(sealed_order.begin(), sealed_order.end());
  for (const auto& [sealed_at, record] : sealed_order) policy_->Insert(*record);
  // Last, because whatever is over may go from now on.
  for (const auto& [sealed_at, record] : sealed_order) {
    if (record->expiration() == nullptr) continue;
    MutexLock lock(objects_.StripeOf(record->id).mutex);
    WatchExpiration(*record);
  }
  if (IsFull()) OnMedium([this] { Trim(); });
  return absl::OkStatus();
}

void LocalPeer::Engine::CheckObject(const Place& place) {
  Stripe& stripe = objects_.StripeOf(place.object_id);
  std::shared_ptr<Object> object;
  {
    MutexLock lock(stripe.mutex);
    object = ObjectOf(*stripe.Find(place.object_id, place.incarnation));
  }
  const absl::Status status = archive_->Check(*object, verify_reads_);
  const bool damaged = !status.ok() && KindOf(status) == ErrorKind::kCorrupt;
  if (damaged) {
    const absl::Status aside = archive_->Quarantine(place.incarnation, *object, status.message());
    log_(absl::StrCat("object ", place.object_id.ToQuoted(), " is damaged: ", status.message(),
                      aside.ok() ? "; it was set aside"
                                 : absl::StrCat("; it cannot be set aside: ", aside.message())));
  }

  Aftermath aftermath;
  {
    MutexLock lock(stripe.mutex);
    Record& record = *stripe.Find(place.object_id, place.incarnation);
    EndChange(stripe, record);
    if (damaged) {
      quarantined_.fetch_add(1, std::memory_order_relaxed);
      record.archived = false;
      FailWaiters(record.id, status, aftermath);  // those who come later find nothing
      Retire(stripe, record, EventKind::kQuarantined, OperationId::kNone, aftermath);
    } else {
      // Open, so that whoever asked for it finds it checked.
      record.SetObject(std::move(object));
      record.checked = status.ok();
      if (!status.ok()) FailWaiters(record.id, status, aftermath);
      Wake(stripe, record.id, aftermath);
      Rest(stripe, record, aftermath);
    }
  }
  Finish(aftermath);
}

void LocalPeer::Engine::FailWaiters(const ObjectId& object_id, const absl::Status& status,
                                    Aftermath& aftermath) {
  for (const Access access : {Access::kRead, Access::kWrite}) {
    while (waits_.First(object_id, access) != nullptr) {
      aftermath.attempts.emplace_back(waits_.TakeFirst(object_id, access),
                                      Attempt{Attempt::kAnswered, status});
    }
  }
}

void LocalPeer::Engine::CheckObjects(const absl::flat_hash_set<uint64_t>& serials) {
  for (Stripe& stripe : objects_.stripes()) {
    std::vector<Place> places;
    {
      MutexLock lock(stripe.mutex);
      for (const auto& record : stripe.live) {
        if (!serials.contains(record->incarnation) || record->held || !record->archived) continue;
        BeginChange(stripe, *record, Change::kChecking);
        places.push_back({record->id, record->incarnation});
      }
    }
    for (const Place& place : places) CheckObject(place);
  }
}

}  // namespace packice
