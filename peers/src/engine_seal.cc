// Seal: from blobs that are written to an object that is readable, and in the archive.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {

// What a seal that is under way knows.
struct LocalPeer::Engine::Sealing {
  Lease lease;
  std::shared_ptr<Object> object;
  absl::optional<absl::Duration> ttl;
  bool growing = false;
  uint64_t charged = 0;   // bytes, when it began
  uint64_t reserved = 0;  // bytes, for what was written where no size was declared

  absl::Time sealed_at;
  absl::optional<absl::Time> expires_at;
  Instant deadline;
  std::string rest;
  bool committed = false;  // to the archive
};

namespace {

absl::Status Abandoned() {
  return MakeError(ErrorKind::kLeaseExpired,
                   "the lease ended before the seal did, and the object with it");
}

}  // namespace

void LocalPeer::Engine::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  Sealing sealing;
  if (absl::Status status = BeginSeal(request, sealing); !status.ok()) {
    return std::move(done)(std::move(status));
  }
  const auto finish = [this](const SealRequest& asked, Sealing& begun,
                             Done<absl::StatusOr<Sealed>>& answer) {
    absl::StatusOr<Sealed> sealed = FinishSeal(asked, begun);
    // Whoever hears of it may let go of it, and its eviction is then to free its bytes.
    begun.object.reset();
    std::move(answer)(std::move(sealed));
  };
  if (executor_ == nullptr) return finish(request, sealing, done);
  OnMedium([finish, request = std::move(request), sealing = std::move(sealing),
            done = std::move(done)]() mutable { finish(request, sealing, done); });
}

absl::Status LocalPeer::Engine::BeginSeal(const SealRequest& request, Sealing& sealing) {
  if (request.size.value_or(0) > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return MakeError(ErrorKind::kInvalidArgument, "a blob has at most 2^63 - 1 bytes");
  }
  absl::StatusOr<Lease> lease = FindLease(request.lease_id, request.session);
  if (!lease.ok()) return lease.status();
  if (lease->access != Access::kCreate) return WrongAccess(*lease, "seal", "create one");

  Stripe& stripe = objects_.StripeOf(lease->object_id);
  MutexLock lock(stripe.mutex);
  Record* record = stripe.Find(lease->object_id, lease->incarnation);
  if (record == nullptr) return Gone();
  if (record->sealed()) {
    return MakeError(ErrorKind::kAlreadyExists,
                     absl::StrCat("object ", record->id.ToQuoted(), " is sealed already"));
  }
  if (record->phase != Phase::kCreating) {
    return MakeError(ErrorKind::kBusy, "the object is being sealed by another request");
  }
  record->phase = Phase::kSealing;
  sealing.lease = *std::move(lease);
  sealing.object = record->SharedObject();
  sealing.ttl = record->custody()->ttl;
  sealing.growing = record->custody()->growing;
  sealing.charged = record->charged;
  return absl::OkStatus();
}

absl::Status LocalPeer::Engine::Freeze(const SealRequest& request, Sealing& sealing) {
  Object& object = *sealing.object;
  if (sealing.growing) {
    const uint64_t size = request.size.value_or(object.size());
    const uint64_t more = size > 0 ? store_->FootprintOf(size) : 0;
    absl::Status status = more > 0 ? Reserve(more, request.operation) : absl::OkStatus();
    if (!status.ok()) return status;
    sealing.reserved = more;
  }
  const auto commit = [&](const Metadata& metadata) {
    if (archive_ == nullptr) return absl::OkStatus();
    absl::StatusOr<std::string> rest = Commit(sealing, metadata);
    if (!rest.ok()) return rest.status();
    sealing.rest = *std::move(rest);
    sealing.committed = true;
    return absl::OkStatus();
  };
  sealing.sealed_at = clock_.WallTime();
  if (request.expires_at.has_value()) sealing.ttl = *request.expires_at - sealing.sealed_at;
  if (sealing.ttl.has_value() && *sealing.ttl < absl::InfiniteDuration()) {
    // What is over already has no time left, and its end lies where it was said to.
    sealing.expires_at = sealing.sealed_at + *sealing.ttl;
    sealing.deadline = clock_.Now() + std::max(absl::ZeroDuration(), *sealing.ttl);
  }
  uint64_t freed = 0;
  absl::Status status = object.Seal(request.size, request.metadata, sealing.sealed_at, commit);
  while (!status.ok() && archive_ != nullptr && KindOf(status) == ErrorKind::kCapacity &&
         MakeMediumRoom(sealing.reserved, freed, request.operation)) {
    absl::Status again = object.Seal(request.size, request.metadata, sealing.sealed_at, commit);
    // Bytes whose sync failed for want of room are given up: room comes too late for them.
    if (!again.ok() && KindOf(again) == ErrorKind::kIo) break;
    status = std::move(again);
  }
  return status;
}

absl::StatusOr<std::string> LocalPeer::Engine::Commit(const Sealing& sealing,
                                                      const Metadata& metadata) {
  Stripe& stripe = objects_.StripeOf(sealing.lease.object_id);
  const auto enter = [&](Phase phase) {
    MutexLock lock(stripe.mutex);
    Record& record = *stripe.Find(sealing.lease.object_id, sealing.lease.incarnation);
    if (record.custody()->abandoned) return false;
    record.phase = phase;
    return true;
  };
  // From here on the lease may end, and the object is sealed all the same.
  if (!enter(Phase::kCommitting)) return Abandoned();
  absl::StatusOr<std::string> rest = archive_->Add(*sealing.object, sealing.lease.incarnation,
                                                   metadata, sealing.sealed_at, sealing.expires_at);
  if (!rest.ok() && !enter(Phase::kSealing)) return Abandoned();
  return rest;
}

absl::StatusOr<Sealed> LocalPeer::Engine::FinishSeal(const SealRequest& request, Sealing& sealing) {
  absl::Status status = Freeze(request, sealing);
  if (!status.ok()) Credit(sealing.reserved);

  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(sealing.lease.object_id);
    MutexLock lock(stripe.mutex);
    Record& record = *stripe.Find(sealing.lease.object_id, sealing.lease.incarnation);
    record.phase = Phase::kCreating;
    if (status.ok()) {
      record.charged = sealing.object->footprint();
      // Reserved by what was seen before the seal; corrected by what is.
      Charge(record.charged - (sealing.charged + sealing.reserved));
    }
    if (record.custody()->abandoned && !sealing.committed) {
      status = Abandoned();
      Retire(stripe, record, EventKind::kAbandoned, request.operation, aftermath);
    } else if (status.ok()) {
      record.phase = Phase::kSealed;
      --stripe.creating;
      record.archived = sealing.committed;
      record.checked = true;
      record.rest = PackedBytes(sealing.rest);
      policy_->Insert(record);
      policy_->Pin(record);
      record.held = true;
      // Fails only if the lease has just run out; whoever reaps it finds the object sealed.
      leases_->Share(request.lease_id).IgnoreError();
      if (sealing.expires_at.has_value()) {
        Expiration& expiration = record.MakeExpiration();
        expiration.expires_at = *sealing.expires_at;
        expiration.deadline = sealing.deadline;
        WatchExpiration(record);
      }
      index_.Publish(*record.object(),
                     sealing.expires_at.has_value() ? sealing.deadline : absl::InfiniteDuration());
      Publish(EventKind::kSealed, request.operation, record);
      Wake(stripe, record.id, aftermath);
      Rest(stripe, record, aftermath);
    }
  }
  Finish(aftermath);
  if (!status.ok()) return status;
  // Over before it began: who waited for it is answered now.
  if (sealing.expires_at.has_value() && sealing.deadline <= clock_.Now()) RunDue();
  if (archive_ != nullptr && IsFull()) Trim();
  return Sealed{sealing.lease.object_id, sealing.object->size()};
}

}  // namespace packice
