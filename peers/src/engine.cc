#include "engine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "parked_object.h"

namespace packice {
namespace {

// Lists that an object moved under, before the next one keeps objects from moving.
constexpr int kListAttempts = 3;

// How often a store that had nothing to give back is asked whether it has by now.
constexpr absl::Duration kLookForIdle = absl::Minutes(1);

}  // namespace

LocalPeer::Engine::Engine(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
                          std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options,
                          std::unique_ptr<Archive> archive, std::unique_ptr<Executor> executor)
    : capacity_(options.capacity),
      verify_reads_(options.verify_reads),
      clock_(*options.clock),
      random_(*options.random),
      events_(*options.events),
      index_(*options.index),
      log_(std::move(options.log)),
      describe_session_(std::move(options.describe_session)),
      store_(std::move(store)),
      leases_(std::move(leases)),
      policy_(policy != nullptr
                  ? std::move(policy)
                  : MakeEvictionPolicy(options.eviction, options.capacity, *options.clock)),
      archive_(std::move(archive)),
      executor_(std::move(executor)),
      kept_open_(archive_ == nullptr ? options.open_at_rest / ObjectTable::kStripes : 0) {
  if (options.background_reaper) {
    reaper_ = std::make_unique<Reaper>(clock_, [this] {
      const Instant next = RunDue();
      const Instant now = clock_.Now();
      return std::min({next, store_->ReleaseIdle(now), now + kLookForIdle});
    });
  }
}

LocalPeer::Engine::~Engine() {
  stopping_.store(true, std::memory_order_relaxed);
  reaper_.reset();
  AwaitIdle();
  for (Waiter& waiter : waits_.TakeAll()) {
    std::move(waiter.done)(MakeError(ErrorKind::kUnavailable, "the node is shutting down"));
  }
}

void LocalPeer::Engine::AwaitIdle() {
  if (executor_ != nullptr) executor_->AwaitIdle();
}

ObjectInfo LocalPeer::Engine::InfoOf(const Record& record) const {
  ObjectInfo info;
  if (record.object() != nullptr) {
    const Object& object = *record.object();
    info.metadata = object.metadata();
    info.created_at = object.created_at();
    if (record.sealed()) info.sealed_at = object.sealed_at();
    for (const auto& blob : object.blobs()) info.blob_sizes.push_back(blob->size());
  } else if (record.sealed() && archive_ != nullptr) {
    info = archive_->Info(record.id, record.rest.view());
  } else if (record.sealed()) {
    ParkedObject parked = ParkedObject::Unpack(record.rest.view());
    info.metadata = std::move(parked.metadata);
    info.created_at = parked.created_at;
    info.sealed_at = parked.sealed_at;
    info.blob_sizes.push_back(parked.size);
  } else {
    info.created_at = record.custody()->created_at;
  }
  info.object_id = record.id;
  info.state = record.sealed() ? ObjectState::kSealed : ObjectState::kCreating;
  info.leases = record.leases;
  if (record.expiration() != nullptr) info.expires_at = record.expiration()->expires_at;
  return info;
}

absl::StatusOr<ObjectInfo> LocalPeer::Engine::Stat(const ObjectId& object_id) {
  if (AnythingDue()) RunDue();
  Stripe& stripe = objects_.StripeOf(object_id);
  MutexLock lock(stripe.mutex);
  const Record* record = stripe.Find(object_id);
  if (record == nullptr || record->IsOverAt(clock_.Now())) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat("no object ", object_id.ToQuoted()));
  }
  return InfoOf(*record);
}

absl::StatusOr<ListPage> LocalPeer::Engine::List(const ListRequest& request) {
  if (request.limit < 1 || request.limit > ListRequest::kMaxLimit) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a list's limit is 1 to ", ListRequest::kMaxLimit));
  }
  if (AnythingDue()) RunDue();
  const Instant now = clock_.Now();
  const auto info_of = [&](const Record& record) -> absl::optional<ObjectInfo> {
    if (record.IsOverAt(now)) return absl::nullopt;
    return InfoOf(record);
  };
  // An object that moves while the stripes are walked might be seen twice, or not at all.
  for (int i = 0; i < kListAttempts; ++i) {
    const uint64_t before = moves_.load(std::memory_order_acquire);
    ListPage page = objects_.List(request, info_of);
    if (moves_.load(std::memory_order_acquire) == before) return page;
  }
  MutexLock lock(moving_mutex_);
  return objects_.List(request, info_of);
}

PeerStats LocalPeer::Engine::Stats() {
  if (AnythingDue()) RunDue();
  PeerStats stats;
  for (Stripe& stripe : objects_.stripes()) {
    MutexLock lock(stripe.mutex);
    stats.objects += stripe.live.size();
    stats.creating += stripe.creating;
    stats.hits += stripe.hits;
    stats.hit_bytes += stripe.hit_bytes;
    stats.misses += stripe.misses;
  }
  stats.hits += index_reads_.load(std::memory_order_relaxed);
  stats.hit_bytes += index_bytes_.load(std::memory_order_relaxed);
  const LeaseCounts leases = leases_->Counts();
  stats.read_leases = leases.read;
  stats.create_leases = leases.create;
  stats.write_leases = leases.write;
  stats.bytes = used_.load(std::memory_order_relaxed);
  stats.capacity = capacity_;
  stats.evictions = evictions_.load(std::memory_order_relaxed);
  stats.expired_objects = expired_objects_.load(std::memory_order_relaxed);
  stats.quarantined = quarantined_.load(std::memory_order_relaxed);
  stats.expired_leases = expired_leases_.load(std::memory_order_relaxed);
  stats.waiting = waits_.count();
  stats.coldest_age = policy_->ColdestAge();
  return stats;
}

void LocalPeer::Engine::CountReads(absl::Span<const ObjectId> objects, uint64_t reads,
                                   uint64_t bytes) {
  index_reads_.fetch_add(reads, std::memory_order_relaxed);
  index_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  for (const ObjectId& id : objects) {
    Stripe& stripe = objects_.StripeOf(id);
    MutexLock lock(stripe.mutex);
    Record* const record = stripe.Find(id);
    if (record != nullptr && record->sealed()) policy_->Hit(*record);
  }
}

Instant LocalPeer::Engine::NextDeadline() const {
  Instant next = std::min(leases_->NextDeadline(), waits_.NextDeadline());
  if (any_expirations_.load(std::memory_order_acquire)) {
    MutexLock lock(expirations_mutex_);
    if (!expirations_.empty()) {
      next = std::min(next, (*expirations_.begin())->expiration()->deadline);
    }
  }
  return next;
}

void LocalPeer::Engine::Expect(Instant deadline) {
  if (reaper_ != nullptr && deadline != absl::InfiniteDuration()) reaper_->Expect(deadline);
}

void LocalPeer::Engine::WatchExpiration(Record& record) {
  if (record.expiration() == nullptr || record.expiration()->queued) return;
  {
    MutexLock lock(expirations_mutex_);
    record.expiration()->queued = true;
    expirations_.insert(&record);
    any_expirations_.store(true, std::memory_order_release);
  }
  Expect(record.expiration()->deadline);
}

void LocalPeer::Engine::ForgetExpiration(Record& record) {
  if (record.expiration() == nullptr || !record.expiration()->queued) return;
  MutexLock lock(expirations_mutex_);
  record.expiration()->queued = false;
  expirations_.erase(&record);
  any_expirations_.store(!expirations_.empty(), std::memory_order_release);
}

void LocalPeer::Engine::Publish(EventKind kind, OperationId operation, const Record& record) {
  uint64_t size = record.charged;
  if (archive_ != nullptr) {  // there an object is charged with more than its size
    size = record.sealed() ? InfoOf(record).size() : record.custody()->declared;
  }
  const bool copy = (kind == EventKind::kCreated || kind == EventKind::kSealed) &&
                    record.custody() != nullptr && record.custody()->quiet;
  events_.Publish(Event{kind, operation, record.id, size, "", copy ? "copy" : ""});
}

}  // namespace packice
