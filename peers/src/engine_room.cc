// Room: what a peer may hold, and what it evicts for more.
#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

// A full medium is given up when it has no room for so much more than was asked of it (bytes):
// somebody else takes what is freed.
constexpr uint64_t kMediumSlack = 1 << 20;

}  // namespace

absl::Status LocalPeer::Engine::Reserve(uint64_t bytes, OperationId operation) {
  if (!capacity_.has_value()) {
    Charge(bytes);
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
    absl::StatusOr<bool> more = MakeRoom(bytes, operation);
    if (!more.ok()) return more.status();
    const uint64_t now_used = used_.load(std::memory_order_relaxed);
    if (!*more && now_used == used) break;
    used = now_used;
  }
  return NoRoom(bytes, used);
}

absl::StatusOr<bool> LocalPeer::Engine::MakeRoom(uint64_t bytes, OperationId operation) {
  if (archive_ != nullptr) {
    if (RemoveExpired() || AwaitRoom(bytes)) return true;
    // A removal that has just ended may have been all that it takes.
    if (used_.load(std::memory_order_relaxed) <= *capacity_ - bytes) return true;
  }
  if (CanMakeRoom(bytes)) {
    const absl::StatusOr<uint64_t> evicted = EvictOne(operation);
    if (evicted.ok()) return true;
    if (KindOf(evicted.status()) != ErrorKind::kNotFound) return evicted.status();
    // Another thread may have taken the last victim and not yet its bytes away.
    std::this_thread::yield();
    return true;
  }
  if (!AnythingDue()) return false;
  RunDue();
  return true;
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

bool LocalPeer::Engine::AwaitRoom(uint64_t bytes) {
  // Whoever finds that a removal has ended finds its room as well (RemovalEnds).
  if (coming_.load(std::memory_order_acquire) == 0) return false;
  MutexLock lock(room_mutex_);
  if (!expired_.empty()) return true;  // it came just now, and nobody may be free to remove it
  const uint64_t coming = coming_.load(std::memory_order_relaxed);
  const uint64_t used = used_.load(std::memory_order_relaxed);
  if (coming == 0 || used - std::min(used, coming) > *capacity_ - bytes) return false;
  room_changed_.Wait(room_mutex_);
  return true;
}

void LocalPeer::Engine::RemovalEnds(uint64_t bytes) {
  MutexLock lock(room_mutex_);
  coming_.fetch_sub(bytes, std::memory_order_release);
  room_changed_.NotifyAll();
}

absl::StatusOr<uint64_t> LocalPeer::Engine::EvictOne(OperationId operation) {
  while (absl::optional<Victim> victim = policy_->Evict()) {
    Aftermath aftermath;
    Stripe& stripe = objects_.StripeOf(victim->object_id);
    std::shared_ptr<Object> object;
    uint64_t bytes = 0;
    {
      MutexLock lock(stripe.mutex);
      Record* record = stripe.Find(victim->object_id, victim->incarnation);
      // Leased or gone meanwhile: the policy hears of that by itself.
      if (record == nullptr || record->held) continue;
      bytes = record->charged;
      if (record->archived) {
        object = ObjectOf(*record);
        BeginChange(stripe, *record, Change::kRemoving);
        RemovalBegins(bytes);
      } else {
        evictions_.fetch_add(1, std::memory_order_relaxed);
        Retire(stripe, *record, EventKind::kEvicted, operation, aftermath);
      }
    }
    if (object == nullptr) {
      Finish(aftermath);
      return bytes;
    }
    return FinishEviction(*victim, std::move(object), bytes, operation);
  }
  return MakeError(ErrorKind::kNotFound, "nothing may be evicted");
}

absl::StatusOr<uint64_t> LocalPeer::Engine::FinishEviction(const Victim& victim,
                                                           std::shared_ptr<Object> object,
                                                           uint64_t bytes, OperationId operation) {
  const absl::Status status = archive_->Remove(victim.incarnation, *object);
  Aftermath aftermath;
  {
    Stripe& stripe = objects_.StripeOf(victim.object_id);
    MutexLock lock(stripe.mutex);
    Record& record = *stripe.Find(victim.object_id, victim.incarnation);
    EndChange(stripe, record);
    if (status.ok()) {
      record.archived = false;
      evictions_.fetch_add(1, std::memory_order_relaxed);
      Retire(stripe, record, EventKind::kEvicted, operation, aftermath);
    } else {
      Wake(stripe, record.id, aftermath);
      Rest(stripe, record, aftermath);
    }
  }
  // Here and now, so that its room is there before anybody tries to use it.
  aftermath.garbage.clear();
  const std::vector<std::weak_ptr<Blob>> blobs(object->blobs().begin(), object->blobs().end());
  object.reset();
  const bool shared = std::any_of(blobs.begin(), blobs.end(),
                                  [](const std::weak_ptr<Blob>& blob) { return !blob.expired(); });
  RemovalEnds(bytes);
  Finish(aftermath);
  if (!status.ok()) {
    log_(absl::StrCat("object ", victim.object_id.ToQuoted(),
                      " cannot be evicted: ", status.message()));
    return status;
  }
  return shared ? 0 : bytes;
}

bool LocalPeer::Engine::MakeMediumRoom(uint64_t bytes, uint64_t& freed, OperationId operation) {
  if (archive_ == nullptr) return EvictOne(operation).ok();
  if (Bury() || RemoveExpired()) return true;
  if (freed > bytes + bytes / 2 + kMediumSlack) return false;
  const absl::StatusOr<uint64_t> evicted = EvictOne(operation);
  if (!evicted.ok()) return false;
  freed += *evicted;
  return *evicted > 0;
}

void LocalPeer::Engine::Trim() {
  while (IsFull() && !stopping_.load(std::memory_order_relaxed)) {
    if (AnythingDue()) RunDue();
    const absl::StatusOr<bool> more = MakeRoom(0, OperationId::kNone);
    if (!more.ok() || !*more) return;
  }
}

}  // namespace packice
