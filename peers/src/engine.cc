#include "engine.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"

namespace packice {

LocalPeer::Engine::Engine(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
                          std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options)
    : capacity_(options.capacity),
      clock_(*options.clock),
      random_(*options.random),
      events_(*options.events),
      store_(std::move(store)),
      leases_(std::move(leases)),
      policy_(std::move(policy)) {
  if (options.background_reaper) {
    reaper_ = std::make_unique<Reaper>(clock_, [this] { return RunDue(); });
  }
}

LocalPeer::Engine::~Engine() {
  reaper_.reset();
  for (Waiter& waiter : waits_.TakeAll()) {
    std::move(waiter.done)(MakeError(ErrorKind::kUnavailable, "the node is shutting down"));
  }
}

absl::StatusOr<ObjectInfo> LocalPeer::Engine::Stat(const ObjectId& object_id) {
  if (AnythingDue()) RunDue();
  Stripe& stripe = objects_.StripeOf(object_id);
  MutexLock lock(stripe.mutex);
  const Record* record = stripe.Find(object_id);
  if (record == nullptr) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat("no object ", object_id.ToQuoted()));
  }
  return record->Info();
}

absl::StatusOr<ListPage> LocalPeer::Engine::List(const ListRequest& request) {
  if (request.limit < 1 || request.limit > ListRequest::kMaxLimit) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a list's limit is 1 to ", ListRequest::kMaxLimit));
  }
  if (AnythingDue()) RunDue();
  return objects_.List(request);
}

PeerStats LocalPeer::Engine::Stats() {
  if (AnythingDue()) RunDue();
  PeerStats stats;
  for (Stripe& stripe : objects_.stripes()) {
    MutexLock lock(stripe.mutex);
    stats.objects += stripe.live.size();
    stats.creating += stripe.creating;
    stats.hits += stripe.hits;
    stats.misses += stripe.misses;
  }
  const LeaseCounts leases = leases_->Counts();
  stats.read_leases = leases.read;
  stats.create_leases = leases.create;
  stats.write_leases = leases.write;
  stats.bytes = used_.load(std::memory_order_relaxed);
  stats.capacity = capacity_;
  stats.evictions = evictions_.load(std::memory_order_relaxed);
  stats.expired_objects = expired_objects_.load(std::memory_order_relaxed);
  stats.expired_leases = expired_leases_.load(std::memory_order_relaxed);
  stats.waiting = waits_.count();
  return stats;
}

absl::Status LocalPeer::Engine::Reserve(uint64_t bytes, OperationId operation) {
  if (!capacity_.has_value()) {
    used_.fetch_add(bytes, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  if (bytes > *capacity_) {
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("an object of ", bytes, " bytes does not fit into a capacity of ",
                                  *capacity_));
  }
  uint64_t used = used_.load(std::memory_order_relaxed);
  while (true) {
    if (used <= *capacity_ - bytes) {
      if (used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed)) {
        return absl::OkStatus();
      }
      continue;
    }
    if (CanMakeRoom(bytes)) {
      // Another thread may have taken the last victim and not yet its bytes away.
      if (!EvictOne(operation)) std::this_thread::yield();
    } else if (AnythingDue()) {
      RunDue();
    } else if (used_.load(std::memory_order_relaxed) == used) {
      break;
    }
    used = used_.load(std::memory_order_relaxed);
  }
  return MakeError(
      ErrorKind::kCapacity,
      absl::StrCat("no room for ", bytes, " bytes: ", used, " of ", *capacity_,
                   " are leased or being written; release some or raise the capacity"));
}

bool LocalPeer::Engine::CanMakeRoom(uint64_t bytes) {
  uint64_t evictable = 0;
  for (const Stripe& stripe : objects_.stripes()) {
    evictable += stripe.evictable.load(std::memory_order_acquire);
  }
  // Last: what is not evictable any more has been credited by now (Retire).
  const uint64_t used = used_.load(std::memory_order_relaxed);
  return used - std::min(used, evictable) <= *capacity_ - bytes;
}

bool LocalPeer::Engine::EvictOne(OperationId operation) {
  while (absl::optional<Victim> victim = policy_->Evict()) {
    Aftermath aftermath;
    Stripe& stripe = objects_.StripeOf(victim->object_id);
    {
      MutexLock lock(stripe.mutex);
      Record* record = stripe.Find(victim->object_id, victim->incarnation);
      // Leased or gone meanwhile: the policy hears of that by itself.
      if (record == nullptr || record->leases > 0) continue;
      evictions_.fetch_add(1, std::memory_order_relaxed);
      Retire(stripe, *record, EventKind::kEvicted, operation, aftermath);
    }
    Finish(std::move(aftermath));
    return true;
  }
  return false;
}

Instant LocalPeer::Engine::NextDeadline() const {
  Instant next = std::min(leases_->NextDeadline(), waits_.NextDeadline());
  if (any_expiries_.load(std::memory_order_acquire)) {
    MutexLock lock(expiries_mutex_);
    if (!expiries_.empty()) next = std::min(next, expiries_.begin()->deadline);
  }
  return next;
}

void LocalPeer::Engine::Expect(Instant deadline) {
  if (reaper_ != nullptr && deadline != absl::InfiniteDuration()) reaper_->Expect(deadline);
}

void LocalPeer::Engine::Publish(EventKind kind, OperationId operation, const Record& record) {
  events_.Publish(Event{kind, operation, record.id, record.charged});
}

}  // namespace packice
