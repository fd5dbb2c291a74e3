#include "packice/core/testing/plain_peer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

absl::Status Invalid(absl::string_view why) { return MakeError(ErrorKind::kInvalidArgument, why); }

bool IsOverZero(const absl::optional<absl::Duration>& ttl) {
  return !ttl || *ttl > absl::ZeroDuration();
}

absl::Status Check(const AcquireRequest& request) {
  if (request.access != Access::kCreate && request.object_id.empty()) {
    return Invalid("only create may leave out the object id");
  }
  if (request.blob_sizes.size() > Object::kMaxBlobs) return Invalid("too many blobs");
  if (!IsOverZero(request.ttl) || !IsOverZero(request.object_ttl)) {
    return Invalid("a TTL is over zero");
  }
  return request.metadata.CheckSize();
}

bool CanBeWaitedOut(const absl::Status& status) {
  const ErrorKind kind = KindOf(status);
  return kind == ErrorKind::kBusy || kind == ErrorKind::kNotSealed;
}

}  // namespace

PlainPeer::PlainPeer(BlobStore& store, const Clock& clock, RandomSource& random, EventSink& events,
                     PlainPeerOptions options)
    : store_(store), clock_(clock), random_(random), events_(events), options_(options) {}

PlainPeer::~PlainPeer() {
  Answers answers;
  {
    MutexLock lock(mutex_);
    EndWaits([](const Waiter&) { return true; },
             MakeError(ErrorKind::kUnavailable, "the peer is closing"), answers);
  }
  for (auto& answer : answers) std::move(answer)();
}

// --- Calls.

template <typename Call>
void PlainPeer::Run(Call call) {
  Answers answers;
  {
    MutexLock lock(mutex_);
    Expire(answers);
    SettleWaiters(answers);
    call(answers);
    SettleWaiters(answers);
  }
  for (auto& answer : answers) std::move(answer)();
}

namespace {

template <typename Answers, typename T>
void Answer(Answers& answers, Done<T> done, T result) {
  if (!done) return;  // nobody cares for the answer
  answers.push_back([done = std::move(done), result = std::move(result)]() mutable {
    std::move(done)(std::move(result));
  });
}

}  // namespace

void PlainPeer::RunDue() {
  Run([](Answers&) {});
}

void PlainPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Status valid = Check(request);
    absl::StatusOr<Grant> grant = valid.ok() ? TryAcquire(request) : valid;
    if (!grant.ok() && CanBeWaitedOut(grant.status()) && request.wait > absl::ZeroDuration()) {
      const Instant deadline = clock_.Now() + request.wait;
      waiters_.push_back({std::move(request), deadline, std::move(done)});
      return;
    }
    Answer(answers, std::move(done), std::move(grant));
  });
}

void PlainPeer::Cancel(OperationId operation) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    EndWaits([&](const Waiter& waiter) { return waiter.request.operation == operation; },
             MakeError(ErrorKind::kTimeout, "the wait was cancelled"), answers);
  });
}

void PlainPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<Held*> held = FindLease(request.lease_id, request.session);
    absl::StatusOr<Grant> grant = Grant();
    if (held.ok()) {
      grant = Grant{(*held)->lease, (*held)->entry->object};
    } else {
      grant = held.status();
    }
    Answer(answers, std::move(done), std::move(grant));
  });
}

void PlainPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<Sealed> sealed = Sealed();
    absl::StatusOr<Held*> held = FindLease(request.lease_id, request.session);
    absl::Status status = held.ok() ? DoSeal(request, **held) : held.status();
    if (status.ok()) {
      sealed = Sealed{(*held)->lease.object_id, (*held)->entry->object->size()};
      Expire(answers);
    } else {
      sealed = status;
    }
    Answer(answers, std::move(done), std::move(sealed));
  });
}

void PlainPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<Held*> held = FindLease(request.lease_id, request.session);
    absl::Status status = held.status();
    if (held.ok() && (*held)->lease.access == Access::kRead) {
      status = MakeError(ErrorKind::kPermissionDenied, "a read lease discards nothing");
    }
    if (status.ok()) {
      Drop(*(*held)->entry, EventKind::kDiscarded, request.operation);
      EndLease(request.lease_id, request.operation);
    }
    Answer(answers, std::move(done), std::move(status));
  });
}

void PlainPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::Status status = FindLease(request.lease_id, request.session).status();
    if (status.ok()) EndLease(request.lease_id, request.operation);
    if (!status.ok() && KindOf(status) == ErrorKind::kLeaseExpired) status = absl::OkStatus();
    Answer(answers, std::move(done), std::move(status));
  });
}

void PlainPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<Held*> held = FindLease(request.lease_id, request.session);
    absl::Status status = held.ok() ? DoRelocate(request, **held) : held.status();
    Answer(answers, std::move(done), std::move(status));
  });
}

void PlainPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<absl::Duration> renewed = request.ttl;
    absl::StatusOr<Held*> held = FindLease(request.lease_id, request.session);
    if (!IsOverZero(request.ttl)) {
      renewed = Invalid("a TTL is over zero");
    } else if (!held.ok()) {
      renewed = held.status();
    } else {
      Lease& lease = (*held)->lease;
      lease.ttl = request.ttl;
      lease.deadline = clock_.Now() + request.ttl;
      lease.session = SessionId::kNone;
    }
    Answer(answers, std::move(done), std::move(renewed));
  });
}

void PlainPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<ObjectInfo> info = MakeError(ErrorKind::kNotFound, "no such object");
    const auto it = objects_.find(object_id);
    if (it != objects_.end()) info = InfoOn(*it->second);
    Answer(answers, std::move(done), std::move(info));
  });
}

void PlainPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<ListPage> page = ListPage();
    if (request.limit < 1 || request.limit > ListRequest::kMaxLimit) {
      page = Invalid("a list's limit is out of range");
    }
    for (const auto& [id, entry] : objects_) {
      if (!page.ok()) break;
      if (id.bytes() <= request.after || !absl::StartsWith(id.bytes(), request.prefix)) continue;
      if (page->objects.size() == request.limit) {
        page->next = page->objects.back().object_id;
        break;
      }
      page->objects.push_back(InfoOn(*entry));
    }
    Answer(answers, std::move(done), std::move(page));
  });
}

void PlainPeer::Stats(Done<absl::StatusOr<PeerStats>> done) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    PeerStats stats = counters_;
    stats.capacity = options_.capacity;
    stats.objects = objects_.size();
    stats.bytes = Bytes();
    stats.waiting = waiters_.size();
    for (const auto& [id, entry] : objects_) {
      if (entry->object->state() == ObjectState::kCreating) ++stats.creating;
    }
    for (const auto& [id, held] : leases_) {
      if (held.lease.access == Access::kRead) ++stats.read_leases;
      if (held.lease.access == Access::kCreate) ++stats.create_leases;
      if (held.lease.access == Access::kWrite) ++stats.write_leases;
    }
    Answer(answers, std::move(done), absl::StatusOr<PeerStats>(stats));
  });
}

void PlainPeer::EndSession(SessionId session) {
  Run([&](Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<LeaseId> ended;
    for (const auto& [id, held] : leases_) {
      if (held.lease.session == session && session != SessionId::kNone) ended.push_back(id);
    }
    for (const LeaseId& id : ended) EndLease(id, OperationId::kNone);
    EndWaits([&](const Waiter& waiter) { return waiter.request.session == session; },
             MakeError(ErrorKind::kUnavailable, "the session is over"), answers);
  });
}

// --- Time and waiting.

void PlainPeer::Expire(Answers& answers) {
  const Instant now = clock_.Now();
  std::vector<Lease> over;
  for (const auto& [id, held] : leases_) {
    if (held.lease.deadline <= now) over.push_back(held.lease);
  }
  for (const Lease& lease : over) {
    ++counters_.expired_leases;
    events_.Publish({EventKind::kLeaseExpired, OperationId::kNone, lease.object_id});
    EndLease(lease.id, OperationId::kNone);
  }
  std::vector<std::shared_ptr<Entry>> old;
  for (const auto& [id, entry] : objects_) {
    if (entry->deadline <= now) old.push_back(entry);
  }
  for (const auto& entry : old) {
    ++counters_.expired_objects;
    Drop(*entry, EventKind::kExpired, OperationId::kNone);
  }
  EndWaits([&](const Waiter& waiter) { return waiter.deadline <= now; },
           MakeError(ErrorKind::kTimeout, "what stood in the way is still there"), answers);
}

void PlainPeer::SettleWaiters(Answers& answers) {
  // Creators first: who wants to read what is gone then waits for the next one.
  for (const bool creators : {true, false}) {
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if ((it->request.access == Access::kCreate) != creators) {
        ++it;
        continue;
      }
      absl::StatusOr<Grant> grant = TryAcquire(it->request);
      if (!grant.ok() && CanBeWaitedOut(grant.status())) {
        ++it;
        continue;
      }
      Answer(answers, std::move(it->done), std::move(grant));
      it = waiters_.erase(it);
    }
  }
}

template <typename Predicate>
void PlainPeer::EndWaits(Predicate predicate, const absl::Status& status, Answers& answers) {
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (!predicate(*it)) {
      ++it;
      continue;
    }
    Answer(answers, std::move(it->done), absl::StatusOr<Grant>(status));
    it = waiters_.erase(it);
  }
}

// --- The rules.

absl::StatusOr<Grant> PlainPeer::TryAcquire(const AcquireRequest& request) {
  const auto it = objects_.find(request.object_id);
  std::shared_ptr<Entry> entry = it != objects_.end() ? it->second : nullptr;
  const bool creating = entry && entry->object->state() == ObjectState::kCreating;
  switch (request.access) {
    case Access::kCreate: {
      if (creating) return MakeError(ErrorKind::kBusy, "the object is being created");
      if (entry) return MakeError(ErrorKind::kAlreadyExists, "the object is there already");
      absl::StatusOr<std::shared_ptr<Entry>> created = NewEntry(request);
      if (!created.ok()) return created.status();
      entry = *created;
      break;
    }
    case Access::kRead:
      if (!entry) {
        if (!request.quiet) ++counters_.misses;
        return MakeError(ErrorKind::kNotFound, "no such object");
      }
      if (creating) return MakeError(ErrorKind::kNotSealed, "the object is still being created");
      if (request.quiet) break;
      ++counters_.hits;
      counters_.hit_bytes += entry->object->size();
      entry->last_used = ++uses_;
      entry->due = false;
      if (events_.WantsReads()) {
        events_.Publish(
            {EventKind::kRead, request.operation, request.object_id, entry->object->size()});
      }
      break;
    case Access::kWrite:
      if (!entry) return MakeError(ErrorKind::kNotFound, "no such object");
      if (creating) return MakeError(ErrorKind::kBusy, "the object is being created");
      if (LeasesOn(*entry, /*writers_only=*/true) > 0) {
        return MakeError(ErrorKind::kBusy, "another lease writes the object");
      }
      break;
  }
  Grant grant;
  grant.object = entry->object;
  grant.lease.id = LeaseId::Random(random_);
  grant.lease.object_id = entry->object->id();
  grant.lease.access = request.access;
  if (request.ttl) {
    grant.lease.ttl = *request.ttl;
    grant.lease.deadline = clock_.Now() + *request.ttl;
  } else {
    grant.lease.session = request.session;
  }
  leases_[grant.lease.id] = Held{grant.lease, entry};
  return grant;
}

absl::StatusOr<std::shared_ptr<PlainPeer::Entry>> PlainPeer::NewEntry(
    const AcquireRequest& request) {
  if (absl::Status status = MakeRoom(request.blob_sizes, request.operation); !status.ok()) {
    return status;
  }
  Object::Blobs blobs;
  for (size_t i = 0; i < std::max<size_t>(request.blob_sizes.size(), 1); ++i) {
    absl::optional<uint64_t> size;
    if (!request.blob_sizes.empty()) size = request.blob_sizes[i];
    absl::StatusOr<std::unique_ptr<Blob>> blob = store_.Create(size);
    if (!blob.ok()) return blob.status();
    blobs.push_back(*std::move(blob));
  }
  ObjectId id = request.object_id;
  if (id.empty()) id = *ObjectId::Parse(LeaseId::Random(random_).ToString());
  auto entry = std::make_shared<Entry>();
  entry->growing = request.blob_sizes.empty();
  entry->object =
      std::make_shared<Object>(id, request.metadata, std::move(blobs), clock_.WallTime());
  entry->ttl = request.object_ttl;
  objects_[id] = entry;
  events_.Publish({EventKind::kCreated, request.operation, id, entry->object->size()});
  return entry;
}

absl::Status PlainPeer::MakeRoom(absl::Span<const uint64_t> sizes, OperationId operation) {
  if (!options_.capacity) return absl::OkStatus();
  const uint64_t capacity = *options_.capacity;
  uint64_t wanted = 0;
  for (uint64_t size : sizes) {
    if (size > capacity - wanted) return MakeError(ErrorKind::kCapacity, "larger than all room");
    wanted += size;
  }
  std::vector<std::shared_ptr<Entry>> candidates;
  uint64_t evictable = 0;
  for (const auto& [id, entry] : objects_) {
    if (entry->object->state() != ObjectState::kSealed) continue;
    candidates.push_back(entry);
    if (LeasesOn(*entry) == 0) evictable += entry->object->size();
  }
  if (Bytes() - evictable + wanted > capacity) {
    return MakeError(ErrorKind::kCapacity, "no room, and nothing may be evicted");
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const auto& a, const auto& b) { return a->last_used < b->last_used; });
  for (const auto& entry : candidates) {
    if (Bytes() + wanted <= capacity) break;
    if (LeasesOn(*entry) > 0) {
      entry->due = true;
      continue;
    }
    ++counters_.evictions;
    Drop(*entry, EventKind::kEvicted, operation);
  }
  return absl::OkStatus();
}

absl::Status PlainPeer::DoSeal(const SealRequest& request, Held& held) {
  if (held.lease.access != Access::kCreate) {
    return MakeError(ErrorKind::kPermissionDenied, "only a create lease seals");
  }
  Entry& entry = *held.entry;
  if (entry.object->state() == ObjectState::kSealed) {
    return MakeError(ErrorKind::kAlreadyExists, "the object is sealed already");
  }
  // What was written counts already.
  const uint64_t written = entry.object->size();
  if (entry.growing && request.size.value_or(0) > written) {
    absl::Status status = MakeRoom({*request.size - written}, request.operation);
    if (!status.ok()) return status;
  }
  const absl::Time now = clock_.WallTime();
  if (absl::Status status = entry.object->Seal(request.size, request.metadata, now); !status.ok()) {
    return status;
  }
  entry.last_used = ++uses_;
  if (request.expires_at) entry.ttl = *request.expires_at - now;
  if (entry.ttl && *entry.ttl < absl::InfiniteDuration()) {
    entry.deadline = clock_.Now() + std::max(absl::ZeroDuration(), *entry.ttl);
    entry.expires_at = now + *entry.ttl;
  }
  events_.Publish(
      {EventKind::kSealed, request.operation, entry.object->id(), entry.object->size()});
  return absl::OkStatus();
}

absl::Status PlainPeer::DoRelocate(const RelocateRequest& request, const Held& held) {
  if (held.lease.access != Access::kWrite) {
    return MakeError(ErrorKind::kPermissionDenied, "only a write lease relocates");
  }
  if (request.to.empty()) return Invalid("an object id is needed");
  const std::shared_ptr<Entry> entry = held.entry;
  const Object& old = *entry->object;
  const auto it = objects_.find(old.id());
  if (it == objects_.end() || it->second != entry) {
    return MakeError(ErrorKind::kLeaseExpired, "the object was taken away");
  }
  if (LeasesOn(*entry) > 1) return MakeError(ErrorKind::kBusy, "others hold leases on the object");
  if (const auto other = objects_.find(request.to); other != objects_.end()) {
    if (other->second->object->state() == ObjectState::kCreating) {
      return MakeError(ErrorKind::kBusy, "an object of that id is being created");
    }
    return MakeError(ErrorKind::kAlreadyExists, "an object of that id is there already");
  }
  auto renamed = std::make_shared<Object>(request.to, old.metadata(), old.blobs(), old.created_at(),
                                          old.sealed_at());
  objects_.erase(it);
  objects_[request.to] = entry;
  entry->object = std::move(renamed);
  events_.Publish({EventKind::kRelocated, request.operation, request.to, entry->object->size()});
  EndLease(request.lease_id, request.operation);
  return absl::OkStatus();
}

void PlainPeer::EndLease(const LeaseId& id, OperationId operation) {
  const Held held = leases_.at(id);
  leases_.erase(id);
  if (held.entry->due && LeasesOn(*held.entry) == 0) {
    held.entry->due = false;
    held.entry->last_used = -++dues_;
  }
  if (held.lease.access == Access::kCreate &&
      held.entry->object->state() == ObjectState::kCreating) {
    Drop(*held.entry, EventKind::kAbandoned, operation);
  }
}

void PlainPeer::Drop(const Entry& entry, EventKind why, OperationId operation) {
  const std::shared_ptr<Object> object = entry.object;
  const auto it = objects_.find(object->id());
  // The id may by now be another object's.
  if (it == objects_.end() || it->second.get() != &entry) return;
  objects_.erase(it);
  events_.Publish({why, operation, object->id(), object->size()});
}

absl::StatusOr<PlainPeer::Held*> PlainPeer::FindLease(const LeaseId& id, SessionId session) {
  const auto it = leases_.find(id);
  if (it == leases_.end()) {
    return MakeError(ErrorKind::kLeaseExpired, "the lease is unknown or over");
  }
  const SessionId owner = it->second.lease.session;
  if (owner != SessionId::kNone && owner != session) {
    return MakeError(ErrorKind::kPermissionDenied, "the lease is another session's");
  }
  return &it->second;
}

}  // namespace packice
