// Relocate: an object gets another id, and nobody ever sees both or neither of the two.
#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {

void LocalPeer::Engine::Relocate(RelocateRequest request, Done<absl::Status> done) {
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return std::move(done)(lease.status());
  if (lease->access != Access::kWrite) {
    return std::move(done)(WrongAccess(*lease, "relocate", "acquire the object with intent write"));
  }
  if (request.to.empty()) {
    return std::move(done)(MakeError(ErrorKind::kInvalidArgument, "an object id is needed"));
  }
  Stripe& from = objects_.StripeOf(lease->object_id);
  Stripe& target = objects_.StripeOf(request.to);
  while (true) {
    Aftermath aftermath;
    absl::Status status;
    bool due = false;
    bool commits = false;
    {
      MutexLock moving(moving_mutex_);
      StripePairLock lock(from, target);
      Record* record = from.Find(lease->object_id);
      if (record == nullptr || record->incarnation != lease->incarnation) {
        status = Gone();
      } else {
        status = CheckMove(target, *record, request.to, due);
      }
      if (status.ok() && record->archived) {
        BeginChange(from, *record, Change::kRelocating);
        target.arriving.insert(request.to);
        commits = true;
      } else if (status.ok() && !leases_->Remove(request.lease_id).has_value()) {
        status = Gone();
      } else if (status.ok()) {
        Move(from, target, *record, request, aftermath);
      }
    }
    if (due) {
      RunDue();
      continue;
    }
    Finish(aftermath);
    if (!commits) return std::move(done)(status);
    return OnMedium(
        [this, request = std::move(request), lease = *std::move(lease),
         done = std::move(done)]() mutable { std::move(done)(FinishRelocate(request, lease)); });
  }
}

absl::Status LocalPeer::Engine::CheckMove(Stripe& target, const Record& record, const ObjectId& to,
                                          bool& due) {
  if (record.change != Change::kNone) {
    return MakeError(ErrorKind::kBusy, "the object is being changed by another request");
  }
  const absl::string_view what = "; the object keeps its id";
  const auto busy = [&](absl::string_view why) {
    due = leases_->NextDeadline() <= clock_.Now();
    return MakeError(ErrorKind::kBusy, absl::StrCat(why, what));
  };
  if (record.leases > 1) return busy("others hold leases on the object");
  if (const Record* other = target.Find(to); other != nullptr) {
    if (!other->sealed()) return busy(absl::StrCat(to.ToQuoted(), " is being created"));
    if (other->change != Change::kNone) {
      return busy(absl::StrCat(to.ToQuoted(), " is being changed"));
    }
    due = other->IsOverAt(clock_.Now());
    return MakeError(ErrorKind::kAlreadyExists,
                     absl::StrCat("object ", to.ToQuoted(), " exists", what));
  }
  if (target.arriving.contains(to)) {
    return busy(absl::StrCat("another object is being given the id ", to.ToQuoted()));
  }
  for (const auto& [incarnation, other] : target.detached) {
    if (other->archived && other->id == to) {
      return busy(absl::StrCat(to.ToQuoted(), " has expired and is still being removed"));
    }
  }
  return absl::OkStatus();
}

void LocalPeer::Engine::Move(Stripe& from, Stripe& target, Record& record,
                             const RelocateRequest& request, Aftermath& aftermath) {
  const ObjectId old_id = record.id;
  // With the lease that moves it, which is its only one.
  record.leases = 0;
  record.DropCustody();
  std::unique_ptr<Record> moving = from.Extract(record);
  {
    // By whoever watches deadlines the id is read under this lock.
    MutexLock lock(expirations_mutex_);
    record.id = request.to;
  }
  if (record.object() != nullptr) {
    const Object& old = *record.object();
    record.SetObject(std::make_shared<Object>(request.to, old.metadata(), old.blobs(),
                                              old.created_at(), old.sealed_at()));
    index_.Withdraw(old_id);
    index_.Publish(*record.object(), record.expiration() != nullptr ? record.expiration()->deadline
                                                                    : absl::InfiniteDuration());
  }
  target.Insert(std::move(moving));
  moves_.fetch_add(1, std::memory_order_release);
  Publish(EventKind::kRelocated, request.operation, record);
  Wake(from, old_id, aftermath);
  Wake(target, request.to, aftermath);
  Rest(target, record, aftermath);
}

absl::Status LocalPeer::Engine::FinishRelocate(const RelocateRequest& request, const Lease& lease) {
  const absl::Status status = archive_->Rename(lease.incarnation, request.to);
  Aftermath aftermath;
  {
    Stripe& from = objects_.StripeOf(lease.object_id);
    Stripe& target = objects_.StripeOf(request.to);
    MutexLock moving(moving_mutex_);
    StripePairLock lock(from, target);
    Record& record = *from.Find(lease.object_id);
    target.arriving.erase(request.to);
    EndChange(from, record);
    if (status.ok()) {
      // Whoever has ended the lease, but not told yet, will look for it under the old id.
      if (!leases_->Remove(request.lease_id).has_value() && record.leases > 0) {
        from.departed.insert(request.lease_id);
      }
      Move(from, target, record, request, aftermath);
    } else {
      Wake(from, lease.object_id, aftermath);
      Wake(target, request.to, aftermath);
      Rest(from, record, aftermath);
    }
  }
  Finish(aftermath);
  return status;
}

}  // namespace packice
