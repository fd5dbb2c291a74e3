// Creates, and what Seal makes of them.
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "tier_engine.h"

namespace packice {
namespace {

uint64_t TotalSize(const AcquireRequest& request) {
  return std::accumulate(request.blob_sizes.begin(), request.blob_sizes.end(), uint64_t{0});
}

// Of two grants of one id.
bool IsSame(const Grant& a, const Grant& b) {
  return a.lease.incarnation == b.lease.incarnation &&
         a.object->created_at() == b.object->created_at();
}

absl::Status AlreadyInCold(const ObjectId& id) {
  return MakeError(ErrorKind::kAlreadyExists,
                   absl::StrCat("object ", id.ToQuoted(), " exists and is sealed"));
}

}  // namespace

void TieredPeer::Engine::Create(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  const Instant deadline = clock_.Now() + options_.create_patience;
  RoomWaiter creator{std::move(request), std::move(done), cold_gains_.load(), false, deadline};
  const ObjectId& id = creator.request.object_id;
  if (id.empty() || discards_->Contains(id)) return CreateInTier(std::move(creator));
  if (health_.IsDown()) {
    creator.unknown = true;
    return CreateInTier(std::move(creator));
  }
  const ObjectId asked = id;
  cold_->Stat(asked, [this, creator = std::move(creator)](absl::StatusOr<ObjectInfo> info) mutable {
    if (info.ok() && info->state == ObjectState::kSealed) {
      return std::move(creator.done)(AlreadyInCold(creator.request.object_id));
    }
    health_.Answered(info.status());
    creator.unknown = !info.ok() && KindOf(info.status()) != ErrorKind::kNotFound;
    CreateInTier(std::move(creator));
  });
}

void TieredPeer::Engine::CreateInTier(RoomWaiter creator) {
  if (hot_capacity_.has_value() && TotalSize(creator.request) > *hot_capacity_) {
    return CreateInCold(std::move(creator));
  }
  AcquireRequest request = creator.request;
  hot_->Acquire(std::move(request),
                [this, creator = std::move(creator)](absl::StatusOr<Grant> grant) mutable {
                  HotAnswered(std::move(creator), std::move(grant));
                });
}

void TieredPeer::Engine::CreateInCold(RoomWaiter creator) {
  const ObjectId id = creator.request.object_id;
  if (!id.empty() && discards_->Contains(id)) {
    // Before the new one is there, or the discard would take that.
    return affairs_.BeginChange(id, [this, id, creator = std::move(creator)]() mutable {
      executor_->Run([this, id, creator = std::move(creator)]() mutable {
        absl::Status status = discards_->Contains(id) ? CarryOutDiscard(id) : absl::OkStatus();
        EndAffair(id);
        if (!status.ok()) return std::move(creator.done)(std::move(status));
        CreateInCold(std::move(creator));
      });
    });
  }
  const auto create = [this](RoomWaiter large) {
    AcquireRequest request = large.request;
    cold_->Acquire(std::move(request),
                   [this, done = std::move(large.done)](absl::StatusOr<Grant> grant) mutable {
                     health_.Answered(grant.status());
                     if (grant.ok())
                       routes_.Insert(TierRoute{Tier::kCold, grant->lease, grant->object});
                     std::move(done)(std::move(grant));
                   });
  };
  if (id.empty()) return create(std::move(creator));
  hot_->Stat(id, [create, creator = std::move(creator)](absl::StatusOr<ObjectInfo> info) mutable {
    if (!info.ok()) return create(std::move(creator));
    if (info->state == ObjectState::kSealed) {
      return std::move(creator.done)(AlreadyInCold(info->object_id));
    }
    std::move(creator.done)(MakeError(
        ErrorKind::kBusy,
        absl::StrCat("object ", info->object_id.ToQuoted(), " is held by another lease")));
  });
}

void TieredPeer::Engine::HotAnswered(RoomWaiter creator, absl::StatusOr<Grant> grant) {
  if (grant.ok()) return Created(std::move(creator), *std::move(grant));
  if (KindOf(grant.status()) != ErrorKind::kCapacity) {
    return std::move(creator.done)(std::move(grant));
  }
  {
    MutexLock lock(mutex_);
    const bool will_be_room = dirty_.queued() > 0 || demoting_ > 0;
    if (will_be_room && creator.deadline > clock_.Now() && !stopping_.load()) {
      room_waiters_.push_back(std::move(creator));
    }
  }
  if (creator.done) return std::move(creator.done)(NoRoom(grant.status()));
  Attend();
}

void TieredPeer::Engine::Created(RoomWaiter creator, Grant grant) {
  const auto finish = [this](RoomWaiter waiter, Grant granted) {
    TierRoute route{Tier::kHot, granted.lease, granted.object};
    route.has_end = waiter.request.object_ttl.has_value();
    route.unknown = waiter.unknown;
    routes_.Insert(std::move(route));
    std::move(waiter.done)(std::move(granted));
  };
  const bool asked_in_time = creator.gains == cold_gains_.load();
  if (creator.request.object_id.empty() || creator.unknown || asked_in_time) {
    return finish(std::move(creator), std::move(grant));
  }
  // It may have gone from hot to cold after cold was asked. From now on it cannot.
  const ObjectId id = creator.request.object_id;
  cold_->Stat(id, [this, finish, creator = std::move(creator),
                   grant = std::move(grant)](absl::StatusOr<ObjectInfo> info) mutable {
    const bool there = info.ok() && info->state == ObjectState::kSealed;
    if (!there || discards_->Contains(grant.lease.object_id)) {
      return finish(std::move(creator), std::move(grant));
    }
    hot_->Release({grant.lease.id, creator.request.session, creator.request.operation}, nullptr);
    std::move(creator.done)(AlreadyInCold(grant.lease.object_id));
  });
}

absl::Status TieredPeer::Engine::NoRoom(const absl::Status& hots) const {
  const TierHealth::View cold = health_.Get();
  MutexLock lock(mutex_);
  if (dirty_.size() == 0) return hots;
  std::string text = absl::StrCat(hots.message(), "; ", dirty_.bytes(), " bytes in ", dirty_.size(),
                                  " objects have yet to be demoted, and the cold tier is ",
                                  TierStateName(cold.state));
  if (!cold.reason.empty()) absl::StrAppend(&text, ": ", cold.reason);
  return MakeError(ErrorKind::kCapacity, text);
}

void TieredPeer::Engine::RetryCreates() {
  {
    MutexLock lock(mutex_);
    if (room_waiters_.empty()) return;
    retry_again_ = true;
    if (std::exchange(retrying_creates_, true)) return;
  }
  while (true) {
    absl::optional<RoomWaiter> waiter;
    {
      MutexLock lock(mutex_);
      if (!retry_again_ || room_waiters_.empty()) {
        retrying_creates_ = false;
        return;
      }
      retry_again_ = false;
      waiter.emplace(std::move(room_waiters_.front()));
      room_waiters_.pop_front();
    }
    // Another one's create is waited for elsewhere, not on this thread.
    AcquireRequest request = waiter->request;
    request.wait = absl::ZeroDuration();
    absl::StatusOr<Grant> grant = blocking::Acquire(*hot_, std::move(request));
    const bool full = !grant.ok() && KindOf(grant.status()) == ErrorKind::kCapacity;
    {
      MutexLock lock(mutex_);
      if (full && (dirty_.queued() > 0 || demoting_ > 0)) {
        room_waiters_.push_front(*std::move(waiter));
        continue;
      }
      retry_again_ = true;
    }
    const bool waits = !grant.ok() && KindOf(grant.status()) == ErrorKind::kBusy &&
                       waiter->request.wait > absl::ZeroDuration();
    if (waits) {
      CreateInTier(*std::move(waiter));
    } else {
      HotAnswered(*std::move(waiter), std::move(grant));
    }
  }
}

void TieredPeer::Engine::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  absl::optional<TierRoute> route = routes_.Find(request.lease_id);
  if (!route.has_value()) return hot_->Seal(std::move(request), std::move(done));
  const LeaseId lease = request.lease_id;
  if (route->tier == Tier::kCold) {
    return cold_->Seal(std::move(request), [this, lease, done = std::move(done)](
                                               absl::StatusOr<Sealed> sealed) mutable {
      health_.Answered(sealed.status());
      if (sealed.ok()) {
        routes_.MarkSealed(lease);
        cold_gains_.fetch_add(1);
      }
      std::move(done)(std::move(sealed));
    });
  }
  const bool ours =
      route->lease.session == SessionId::kNone || route->lease.session == request.session;
  if (route->sealed && ours && options_.write_policy == WritePolicy::kThrough) {
    const Sealed sealed{route->lease.object_id, route->object->size()};
    if (AwaitDemotion(sealed, done)) return;
  }
  if (request.expires_at.has_value()) route->has_end = true;
  hot_->Seal(std::move(request), [this, route = *std::move(route),
                                  done = std::move(done)](absl::StatusOr<Sealed> sealed) mutable {
    if (!sealed.ok()) return std::move(done)(std::move(sealed));
    routes_.MarkSealed(route.lease.id);
    SealedInHot(route, *std::move(sealed), std::move(done));
  });
}

void TieredPeer::Engine::SealedInHot(const TierRoute& route, Sealed sealed,
                                     Done<absl::StatusOr<Sealed>> done) {
  const ObjectId id = sealed.object_id;
  auto adopt = [this, id, has_end = route.has_end, unknown = route.unknown,
                sealed = std::move(sealed), done = std::move(done)](LeaseId held) mutable {
    Adopt(id, has_end, unknown,
          [this, id, held, sealed = std::move(sealed),
           done = std::move(done)](absl::Status status) mutable {
            if (held != LeaseId()) hot_->Release({held, session_, OperationId::kNone}, nullptr);
            const bool through = options_.write_policy == WritePolicy::kThrough;
            const bool waits = status.ok() && through && AwaitDemotion(sealed, done);
            EndAffair(id);
            if (waits) return;
            if (!status.ok()) return std::move(done)(status);
            std::move(done)(std::move(sealed));
          });
  };
  if (affairs_.TryBegin(id, TierAffairs::Kind::kChange)) return adopt(LeaseId());
  // It has to stay in hot until its turn comes, also when its creator lets go of it.
  AcquireRequest hold;
  hold.object_id = id;
  hold.quiet = true;
  hold.session = session_;
  hot_->Acquire(
      std::move(hold), [this, id, adopt = std::move(adopt)](absl::StatusOr<Grant> grant) mutable {
        const LeaseId held = grant.ok() ? grant->lease.id : LeaseId();
        affairs_.BeginChange(id, [held, adopt = std::move(adopt)]() mutable { adopt(held); });
      });
}

void TieredPeer::Engine::Adopt(const ObjectId& id, bool has_end, bool ask_cold,
                               Done<absl::Status> done) {
  AcquireRequest request;
  request.access = Access::kRead;
  request.object_id = id;
  request.quiet = true;
  request.session = session_;
  hot_->Acquire(std::move(request), [this, id, has_end, ask_cold,
                                     done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    if (!grant.ok()) {
      // Only its end can have come between. If that is the end of its own life, all is well.
      if (has_end && KindOf(grant.status()) == ErrorKind::kNotFound) {
        return std::move(done)(absl::OkStatus());
      }
      return std::move(done)(
          MakeError(ErrorKind::kLeaseExpired,
                    "the object was taken away while it was sealed; the lease is over"));
    }
    auto object = std::make_unique<DirtyObject>();
    object->pin = *std::move(grant);
    object->since = clock_.Now();
    object->ask_cold = ask_cold;
    const auto add = [this](std::unique_ptr<DirtyObject> added) {
      const Lease lease = added->pin.lease;
      bool is_new;
      std::unique_ptr<DirtyObject> before;  // of this id, whose own life is over
      {
        MutexLock lock(mutex_);
        const DirtyObject* const dirty = dirty_.Find(added->id());
        if (dirty != nullptr && !IsSame(dirty->pin, added->pin)) {
          before = dirty_.Erase(added->id());
          added->ask_cold = true;
        }
        is_new = dirty_.Add(std::move(added));
        if (dirty_.bytes() > high_water_) draining_ = true;
      }
      if (!is_new) hot_->Release({lease.id, session_, OperationId::kNone}, nullptr);
      if (before == nullptr) return;
      hot_->Release({before->pin.lease.id, session_, OperationId::kNone}, nullptr);
      for (auto& waiter : before->waiters) {
        std::move(waiter)(MakeError(ErrorKind::kNotFound, "the object has expired"));
      }
    };
    if (!has_end) {
      add(std::move(object));
      return std::move(done)(absl::OkStatus());
    }
    hot_->Stat(id, [add, object = std::move(object),
                    done = std::move(done)](absl::StatusOr<ObjectInfo> info) mutable {
      if (info.ok()) object->expires_at = info->expires_at;
      add(std::move(object));
      std::move(done)(absl::OkStatus());
    });
  });
}

bool TieredPeer::Engine::AwaitDemotion(const Sealed& sealed, Done<absl::StatusOr<Sealed>>& done) {
  const bool down = health_.IsDown();
  {
    MutexLock lock(mutex_);
    DirtyObject* const object = dirty_.Find(sealed.object_id);
    if (object == nullptr) return false;
    if (!down && !object->conflict) {
      object->waiters.push_back([sealed, done = std::move(done)](absl::Status status) mutable {
        if (status.ok()) return std::move(done)(std::move(sealed));
        std::move(done)(MakeError(
            KindOf(status),
            absl::StrCat("the cold tier does not have the object yet, and a crash would lose it; "
                         "Seal tries again: ",
                         status.message())));
      });
      return true;
    }
    if (object->conflict) {
      std::move(done)(
          MakeError(ErrorKind::kAlreadyExists, "the cold tier has another object of this id"));
      return true;
    }
  }
  std::move(done)(ColdIsDown("a crash would lose the object; Seal tries again"));
  return true;
}

}  // namespace packice
