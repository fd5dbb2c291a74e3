// Acquire: from a request to a lease, at once, after a wait, or after room was made.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

// Sizes are file offsets in the end, and off_t is signed.
constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max();

absl::Status Validate(const AcquireRequest& request) {
  const auto invalid = [](absl::string_view message) {
    return MakeError(ErrorKind::kInvalidArgument, message);
  };
  if (request.ttl.has_value() && *request.ttl <= absl::ZeroDuration()) {
    return invalid("a lease's TTL is over 0 seconds");
  }
  if (request.wait < absl::ZeroDuration()) return invalid("a wait is 0 seconds or more");
  if (request.access != Access::kCreate) {
    return request.object_id.empty() ? invalid("an object id is needed") : absl::OkStatus();
  }
  if (request.object_ttl.has_value() && *request.object_ttl <= absl::ZeroDuration()) {
    return invalid("an object's TTL is over 0 seconds");
  }
  if (request.blob_sizes.size() > Object::kMaxBlobs) {
    return invalid(absl::StrCat("an object has at most ", Object::kMaxBlobs, " blobs"));
  }
  uint64_t total = 0;
  for (const uint64_t size : request.blob_sizes) {
    if (size > kMaxSize - total) return invalid(absl::StrCat("at most ", kMaxSize, " bytes"));
    total += size;
  }
  return request.metadata.CheckSize();
}

uint64_t TotalSize(const AcquireRequest& request) {
  uint64_t total = 0;
  for (const uint64_t size : request.blob_sizes) total += size;
  return total;
}

absl::StatusOr<ObjectId> MadeUpId(RandomSource& random) {
  return ObjectId::Parse(LeaseId::Random(random).ToString());
}

}  // namespace

void LocalPeer::Engine::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  if (absl::Status status = Validate(request); !status.ok()) return std::move(done)(status);
  if (request.object_id.empty()) request.object_id = *MadeUpId(random_);

  Stripe& stripe = objects_.StripeOf(request.object_id);
  while (true) {
    Attempt attempt;
    absl::optional<Place> check;
    {
      MutexLock lock(stripe.mutex);
      attempt = Try(stripe, request);
      const bool waits =
          attempt.result == Attempt::kChanging || attempt.result == Attempt::kUnchecked ||
          (attempt.result == Attempt::kBlocked && request.wait > absl::ZeroDuration());
      if (attempt.result == Attempt::kUnchecked) {
        check = Place{request.object_id, attempt.incarnation};
      }
      if (waits) Await(std::move(request), std::move(done));
      if (waits && !check.has_value()) return;
    }
    if (check.has_value()) {
      return OnMedium([this, place = *std::move(check)] { CheckObject(place); });
    }
    if (attempt.result == Attempt::kStarted) {
      return StartCreate(Waiter{std::move(request), std::move(done), Instant()},
                         std::move(attempt));
    }
    if (attempt.result != Attempt::kDue) return std::move(done)(std::move(attempt.answer));
    RunDue();
  }
}

void LocalPeer::Engine::Await(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  // Without a wait, what is awaited is a change that is under way, and that ends by itself.
  const Instant deadline =
      request.wait > absl::ZeroDuration() ? clock_.Now() + request.wait : absl::InfiniteDuration();
  waits_.Add(Waiter{std::move(request), std::move(done), deadline});
  Expect(deadline);
}

LocalPeer::Engine::Attempt LocalPeer::Engine::Try(Stripe& stripe, const AcquireRequest& request) {
  if (request.access == Access::kCreate) return TryCreate(stripe, request);
  Record* record = stripe.Find(request.object_id);
  if (record == nullptr) {
    if (request.access == Access::kRead && !request.quiet) ++stripe.misses;
    return {
        Attempt::kAnswered,
        MakeError(ErrorKind::kNotFound, absl::StrCat("no object ", request.object_id.ToQuoted()))};
  }
  if (!record->sealed()) {
    return Blocked(request.access == Access::kRead ? ErrorKind::kNotSealed : ErrorKind::kBusy,
                   request);
  }
  if (record->change != Change::kNone) return {Attempt::kChanging, absl::StatusOr<Grant>()};
  if (record->IsOverAt(clock_.Now())) return {Attempt::kDue, absl::StatusOr<Grant>()};
  if (record->archived && !record->held && (verify_reads_ || !record->checked)) {
    BeginChange(stripe, *record, Change::kChecking);
    return {Attempt::kUnchecked, absl::StatusOr<Grant>(), record->incarnation};
  }
  absl::StatusOr<Grant> grant = GrantLease(stripe, *record, request);
  if (!grant.ok() && KindOf(grant.status()) == ErrorKind::kBusy) {
    return Blocked(ErrorKind::kBusy, request);
  }
  if (grant.ok() && request.access == Access::kRead && !request.quiet) {
    CountRead(stripe, *record, request.operation);
  }
  if (grant.ok() && request.access == Access::kWrite) {
    record->MakeCustody().lease = grant->lease.id;
  }
  return {Attempt::kAnswered, std::move(grant)};
}

void LocalPeer::Engine::CountRead(Stripe& stripe, Record& record, OperationId operation) {
  const uint64_t bytes = record.object()->size();
  ++stripe.hits;
  stripe.hit_bytes += bytes;
  policy_->Hit(record);
  if (events_.WantsReads()) {
    events_.Publish(Event{EventKind::kRead, operation, record.id, bytes});
  }
}

LocalPeer::Engine::Attempt LocalPeer::Engine::TryCreate(Stripe& stripe,
                                                        const AcquireRequest& request) {
  if (Record* record = stripe.Find(request.object_id); record != nullptr) {
    if (!record->sealed()) return Blocked(ErrorKind::kBusy, request);
    if (record->change != Change::kNone) return {Attempt::kChanging, absl::StatusOr<Grant>()};
    if (record->IsOverAt(clock_.Now())) return {Attempt::kDue, absl::StatusOr<Grant>()};
    return {Attempt::kAnswered, MakeError(ErrorKind::kAlreadyExists,
                                          absl::StrCat("object ", record->id.ToQuoted(),
                                                       " exists; sealed objects never change"))};
  }
  if (stripe.arriving.contains(request.object_id)) {
    return {Attempt::kChanging, absl::StatusOr<Grant>()};
  }
  auto record = std::make_unique<Record>();
  record->id = request.object_id;
  record->incarnation = archive_ != nullptr
                            ? archive_->NextSerial()
                            : next_incarnation_.fetch_add(1, std::memory_order_relaxed);
  Custody& custody = record->MakeCustody();
  custody.quiet = request.quiet;
  custody.created_at = clock_.WallTime();
  custody.ttl = request.object_ttl;
  custody.declared = TotalSize(request);
  custody.growing = request.blob_sizes.empty();
  absl::StatusOr<Grant> grant = GrantLease(stripe, *record, request);
  if (!grant.ok()) {
    // Somebody who shares the lease table creates it.
    if (KindOf(grant.status()) == ErrorKind::kBusy) return Blocked(ErrorKind::kBusy, request);
    return {Attempt::kAnswered, std::move(grant)};
  }
  custody.lease = grant->lease.id;
  policy_->Expect(*record);
  stripe.Insert(std::move(record));
  return {Attempt::kStarted, std::move(grant)};
}

LocalPeer::Engine::Attempt LocalPeer::Engine::Blocked(ErrorKind kind,
                                                      const AcquireRequest& request) {
  // Whoever stands in the way may have run out of time without having been reaped yet.
  if (leases_->NextDeadline() <= clock_.Now()) return {Attempt::kDue, absl::StatusOr<Grant>()};
  const absl::string_view why =
      kind == ErrorKind::kNotSealed ? " is still being created" : " is held by another lease";
  return {Attempt::kBlocked, MakeError(kind, absl::StrCat("object ", request.object_id.ToQuoted(),
                                                          why, "; wait_seconds waits for it"))};
}

absl::StatusOr<Grant> LocalPeer::Engine::GrantLease(Stripe& stripe, Record& record,
                                                    const AcquireRequest& request) {
  Grant grant;
  Lease& lease = grant.lease;
  lease.id = LeaseId::Random(random_);
  lease.object_id = request.object_id;
  lease.incarnation = record.incarnation;
  lease.access = request.access;
  if (request.ttl.has_value()) {
    lease.ttl = *request.ttl;
    lease.deadline = clock_.Now() + lease.ttl;
  } else {
    lease.session = request.session;
  }
  if (absl::Status status = leases_->Insert(lease); !status.ok()) return status;
  Expect(lease.deadline);
  if (record.sealed()) {
    Hold(stripe, record);
    Open(stripe, record);
  }
  ++record.leases;
  if (record.object() != nullptr) grant.object = record.SharedObject();
  return grant;
}

void LocalPeer::Engine::StartCreate(Waiter waiter, Attempt attempt) {
  const auto create = [this](Waiter& creator, Attempt& started) {
    Aftermath aftermath;
    Settle(creator, started, aftermath);
    Finish(aftermath);
  };
  if (executor_ == nullptr) return create(waiter, attempt);
  OnMedium([create, waiter = std::move(waiter), attempt = std::move(attempt)]() mutable {
    create(waiter, attempt);
  });
}

void LocalPeer::Engine::Settle(Waiter& waiter, Attempt& attempt, Aftermath& aftermath) {
  if (attempt.result == Attempt::kStarted) {
    attempt.answer = FinishCreate(waiter.request, *std::move(attempt.answer), aftermath);
  }
  std::move(waiter.done)(std::move(attempt.answer));
}

absl::StatusOr<Grant> LocalPeer::Engine::FinishCreate(const AcquireRequest& request, Grant grant,
                                                      Aftermath& aftermath) {
  uint64_t bytes = 0;
  for (const uint64_t size : request.blob_sizes) bytes += store_->FootprintOf(size);
  absl::Status failure = Reserve(bytes, request.operation);
  const bool charged = failure.ok();
  absl::StatusOr<Object::Blobs> blobs = Object::Blobs();
  if (failure.ok()) {
    blobs = MakeBlobs(request);
    failure = blobs.status();
  }

  Stripe& stripe = objects_.StripeOf(request.object_id);
  {
    MutexLock lock(stripe.mutex);
    Record& record = *stripe.Find(request.object_id, grant.lease.incarnation);
    if (charged) record.charged = bytes;
    if (failure.ok() && record.custody()->abandoned) {
      failure = MakeError(ErrorKind::kUnavailable, "the lease ended before it could be granted");
    }
    if (failure.ok()) {
      grant.object = std::make_shared<Object>(request.object_id, request.metadata,
                                              *std::move(blobs), record.custody()->created_at);
      record.SetObject(grant.object);
      record.phase = Phase::kCreating;
      Publish(EventKind::kCreated, request.operation, record);
    } else {
      leases_->Remove(grant.lease.id);
      record.leases = 0;
      Retire(stripe, record, EventKind::kAbandoned, request.operation, aftermath);
    }
  }
  if (!failure.ok()) return failure;
  return grant;
}

absl::StatusOr<Object::Blobs> LocalPeer::Engine::MakeBlobs(const AcquireRequest& request) {
  uint64_t freed = 0;
  const auto make = [&](absl::optional<uint64_t> size) {
    const auto create = [&] {
      return request.written_here && size.has_value() ? store_->CreateHere(request.object_id, *size)
                                                      : store_->CreateFor(request.object_id, size);
    };
    absl::StatusOr<std::unique_ptr<Blob>> blob = create();
    // The medium may run out before the capacity does, of descriptors above all.
    while (!blob.ok() && KindOf(blob.status()) == ErrorKind::kCapacity &&
           MakeMediumRoom(TotalSize(request), freed, request.operation)) {
      blob = create();
    }
    return blob;
  };
  Object::Blobs blobs;
  const size_t count = std::max<size_t>(1, request.blob_sizes.size());
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<std::unique_ptr<Blob>> blob =
        request.blob_sizes.empty() ? make(absl::nullopt) : make(request.blob_sizes[i]);
    if (!blob.ok()) return blob.status();
    blobs.push_back(*std::move(blob));
  }
  return blobs;
}

}  // namespace packice
