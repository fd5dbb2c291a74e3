// What takes objects away or renames them: WRITE leases, Discard, Relocate. An object ends in cold
// first, so that it never comes back from there.
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "tier_engine.h"

namespace packice {
namespace {

// For a call whose answer changes nothing.
Done<absl::Status> Unheard() {
  return [](const absl::Status&) {};
}

bool IsSameObject(const Grant& grant, const TierRoute& route) {
  return grant.lease.incarnation == route.lease.incarnation &&
         grant.object->created_at() == route.object->created_at();
}

// The tier itself answers what is no matter between tiers.
bool IsTiersAffair(const TierRoute& route, SessionId session, Instant now) {
  const Lease& lease = route.lease;
  const bool theirs = lease.session == SessionId::kNone || lease.session == session;
  return theirs && lease.deadline > now && lease.access != Access::kRead;
}

}  // namespace

void TieredPeer::Engine::AcquireWrite(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  const uint64_t gains = hot_gains_.load();
  const auto granted = [this](const Grant& grant) {
    routes_.Insert(TierRoute{Tier::kHot, grant.lease, grant.object, /*sealed=*/true});
  };
  AcquireRequest first = request;
  first.wait = absl::ZeroDuration();
  hot_->Acquire(std::move(first), [this, gains, granted, request = std::move(request),
                                   done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    if (grant.ok()) {
      granted(*grant);
      return std::move(done)(std::move(grant));
    }
    const ErrorKind kind = KindOf(grant.status());
    if (kind == ErrorKind::kNotFound) return WriteCold(std::move(request), std::move(done));
    if (kind != ErrorKind::kBusy) return std::move(done)(std::move(grant));
    if (affairs_.IsPromoting(request.object_id)) {
      return WriteCold(std::move(request), std::move(done));
    }
    if (hot_gains_.load() != gains) return AcquireWrite(std::move(request), std::move(done));
    if (request.wait <= absl::ZeroDuration()) return std::move(done)(std::move(grant));
    hot_->Acquire(request, [this, granted, request,
                            done = std::move(done)](absl::StatusOr<Grant> waited) mutable {
      if (waited.ok()) granted(*waited);
      if (waited.ok() || KindOf(waited.status()) != ErrorKind::kNotFound) {
        return std::move(done)(std::move(waited));
      }
      request.wait = absl::ZeroDuration();
      WriteCold(std::move(request), std::move(done));
    });
  });
}

void TieredPeer::Engine::WriteCold(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  const ObjectId& id = request.object_id;
  if (discards_->Contains(id)) {
    return std::move(done)(
        MakeError(ErrorKind::kNotFound, absl::StrCat("no object ", id.ToQuoted())));
  }
  if (health_.IsDown()) {
    return std::move(done)(
        ColdIsDown(absl::StrCat("object ", id.ToQuoted(), " is not in the hot tier")));
  }
  const uint64_t gains = hot_gains_.load();
  AcquireRequest copy = request;
  cold_->Acquire(std::move(copy), [this, gains, request = std::move(request),
                                   done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    if (grant.ok()) return ColdWriteGranted(std::move(request), *std::move(grant), std::move(done));
    health_.Answered(grant.status());
    if (KindOf(grant.status()) == ErrorKind::kNotFound && hot_gains_.load() != gains) {
      return AcquireWrite(std::move(request), std::move(done));
    }
    std::move(done)(std::move(grant));
    Attend();
  });
}

void TieredPeer::Engine::ColdWriteGranted(AcquireRequest request, Grant grant,
                                          Done<absl::StatusOr<Grant>> done) {
  // From here on nobody begins to promote the object. One who did before may have finished, and
  // then hot has the last word.
  routes_.Insert(TierRoute{Tier::kCold, grant.lease, grant.object, /*sealed=*/true});
  const ObjectId id = request.object_id;
  affairs_.BeginChange(id, [this, id, request = std::move(request), grant = std::move(grant),
                            done = std::move(done)]() mutable {
    const SessionId session = request.session;
    request.wait = absl::ZeroDuration();
    hot_->Acquire(std::move(request), [this, id, session, grant = std::move(grant),
                                       done = std::move(done)](absl::StatusOr<Grant> hots) mutable {
      if (!hots.ok() && KindOf(hots.status()) == ErrorKind::kNotFound) {
        EndAffair(id);
        return std::move(done)(std::move(grant));
      }
      routes_.Erase(grant.lease.id);
      cold_->Release({grant.lease.id, session, OperationId::kNone}, nullptr);
      if (hots.ok()) {
        routes_.Insert(TierRoute{Tier::kHot, hots->lease, hots->object, /*sealed=*/true});
      }
      EndAffair(id);
      std::move(done)(std::move(hots));
    });
  });
}

void TieredPeer::Engine::Discard(LeaseRequest request, Done<absl::Status> done) {
  absl::optional<TierRoute> route = routes_.Find(request.lease_id);
  if (!route.has_value()) return hot_->Discard(std::move(request), std::move(done));
  if (!IsTiersAffair(*route, request.session, clock_.Now())) {
    Peer& tier = route->tier == Tier::kHot ? *hot_ : *cold_;
    return tier.Discard(std::move(request), std::move(done));
  }
  const ObjectId id = route->lease.object_id;
  affairs_.BeginChange(id, [this, id, request, done = std::move(done)]() mutable {
    // Its lease may have sealed meanwhile, or ended.
    absl::optional<TierRoute> now = routes_.Find(request.lease_id);
    Done<absl::Status> ended = [this, id, lease = request.lease_id,
                                done = std::move(done)](absl::Status status) mutable {
      if (status.ok()) routes_.Erase(lease);
      EndAffair(id);
      std::move(done)(std::move(status));
    };
    if (now.has_value() && now->tier == Tier::kCold) {
      return DiscardCold(std::move(request), *now, std::move(ended));
    }
    if (now.has_value() && now->sealed) {
      return DiscardIfCurrent(std::move(request), *std::move(now), std::move(ended));
    }
    hot_->Discard(std::move(request), std::move(ended));
  });
}

// A lease may outlive its object, when the object's own life is over; what has its id since is none
// of the lease's.
void TieredPeer::Engine::DiscardIfCurrent(LeaseRequest request, TierRoute route,
                                          Done<absl::Status> done) {
  hot_->Lookup(request, [this, request, route = std::move(route),
                         done = std::move(done)](absl::StatusOr<Grant> lease) mutable {
    // Before cold hears of it. Not every peer can tell.
    if (!lease.ok() && KindOf(lease.status()) == ErrorKind::kLeaseExpired) {
      return std::move(done)(lease.status());
    }
    AcquireRequest look;
    look.object_id = route.lease.object_id;
    look.quiet = true;
    look.session = session_;
    hot_->Acquire(std::move(look), [this, request, route = std::move(route),
                                    done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
      bool current = false;
      if (grant.ok()) {
        current = IsSameObject(*grant, route);
        hot_->Release({grant->lease.id, session_, OperationId::kNone}, nullptr);
      }
      if (current) return DiscardHot(request, route, std::move(done));
      hot_->Discard(request, std::move(done));
    });
  });
}

void TieredPeer::Engine::DiscardHot(LeaseRequest request, const TierRoute& route,
                                    Done<absl::Status> done) {
  const ObjectId id = route.lease.object_id;
  bool never_in_cold;
  {
    MutexLock lock(mutex_);
    const DirtyObject* const dirty = dirty_.Find(id);
    never_in_cold = dirty != nullptr && !dirty->ask_cold && !dirty->conflict;
  }
  Done<absl::Status> then = [this, id, request,
                             done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return std::move(done)(std::move(status));
    hot_->Discard(std::move(request),
                  [this, id, done = std::move(done)](absl::Status discarded) mutable {
                    if (discarded.ok()) {
                      DropDirty(id, MakeError(ErrorKind::kNotFound, "the object was discarded"));
                      return std::move(done)(absl::OkStatus());
                    }
                    // The lease was over just then, and the object is to stay: but cold may not
                    // have it any more.
                    Adopt(id, /*has_end=*/true, /*ask_cold=*/true,
                          [discarded, done = std::move(done)](const absl::Status&) mutable {
                            std::move(done)(discarded);
                          });
                  });
  };
  if (never_in_cold) return std::move(then)(absl::OkStatus());
  RemoveFromCold(id, request.operation, std::move(then));
}

void TieredPeer::Engine::DiscardCold(LeaseRequest request, const TierRoute& route,
                                     Done<absl::Status> done) {
  const ObjectId id = route.lease.object_id;
  const bool sealed = route.sealed;
  cold_->Discard(std::move(request),
                 [this, id, sealed, done = std::move(done)](absl::Status status) mutable {
                   if (status.ok() || !IsOutOfReach(status))
                     return std::move(done)(std::move(status));
                   health_.Answered(status);
                   // What was not sealed ends with its lease.
                   if (!sealed) return std::move(done)(absl::OkStatus());
                   RememberDiscard(id, std::move(done));
                 });
}

void TieredPeer::Engine::RemoveFromCold(const ObjectId& id, OperationId operation,
                                        Done<absl::Status> done) {
  if (discards_->Contains(id)) return std::move(done)(absl::OkStatus());
  if (health_.IsDown()) return RememberDiscard(id, std::move(done));
  const SessionId session = NewSessionId();
  AcquireRequest request;
  request.access = Access::kWrite;
  request.object_id = id;
  request.quiet = true;
  request.session = session;
  request.operation = operation;
  cold_->Acquire(std::move(request), [this, id, operation, session,
                                      done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    if (!grant.ok()) {
      const ErrorKind kind = KindOf(grant.status());
      // A damaged object is as good as gone: cold sets it aside.
      if (kind == ErrorKind::kNotFound || kind == ErrorKind::kCorrupt) {
        return std::move(done)(absl::OkStatus());
      }
      MindSession(session, grant.status());
      if (IsOutOfReach(grant.status())) return RememberDiscard(id, std::move(done));
      return std::move(done)(grant.status());
    }
    const LeaseRequest lease{grant->lease.id, session, operation};
    cold_->Discard(lease, [this, id, lease, done = std::move(done)](absl::Status status) mutable {
      if (status.ok()) return std::move(done)(std::move(status));
      MindSession(lease.session, status);
      if (IsOutOfReach(status)) return RememberDiscard(id, std::move(done));
      cold_->Release(lease, nullptr);
      std::move(done)(std::move(status));
    });
  });
}

void TieredPeer::Engine::RememberDiscard(const ObjectId& id, Done<absl::Status> done) {
  executor_->Run([this, id, done = std::move(done)]() mutable {
    std::move(done)(discards_->Add(id));
    Attend();
  });
}

absl::Status TieredPeer::Engine::CarryOutDiscard(const ObjectId& id) {
  const SessionId session = NewSessionId();
  AcquireRequest request;
  request.access = Access::kWrite;
  request.object_id = id;
  request.quiet = true;
  request.session = session;
  const absl::StatusOr<Grant> grant = blocking::Acquire(*cold_, std::move(request));
  MindSession(session, grant.status());
  if (grant.ok()) {
    const LeaseRequest lease{grant->lease.id, session, OperationId::kNone};
    const absl::Status discarded = blocking::Discard(*cold_, lease);
    MindSession(session, discarded);
    if (!discarded.ok()) {
      cold_->Release(lease, nullptr);
      return discarded;
    }
  } else if (KindOf(grant.status()) != ErrorKind::kNotFound &&
             KindOf(grant.status()) != ErrorKind::kCorrupt) {
    return grant.status();
  }
  return discards_->Remove(id);
}

void TieredPeer::Engine::Relocate(RelocateRequest request, Done<absl::Status> done) {
  absl::optional<TierRoute> route = routes_.Find(request.lease_id);
  if (!route.has_value()) return hot_->Relocate(std::move(request), std::move(done));
  const bool ours =
      IsTiersAffair(*route, request.session, clock_.Now()) && route->lease.access == Access::kWrite;
  if (!ours) {
    Peer& tier = route->tier == Tier::kHot ? *hot_ : *cold_;
    return tier.Relocate(std::move(request), std::move(done));
  }
  const ObjectId id = route->lease.object_id;
  if (id == request.to) {
    return std::move(done)(MakeError(ErrorKind::kAlreadyExists,
                                     absl::StrCat("object ", id.ToQuoted(), " has that id")));
  }
  affairs_.BeginChange(id, [this, id, request = std::move(request), route = *std::move(route),
                            done = std::move(done)]() mutable {
    executor_->Run([this, id, request = std::move(request), route = std::move(route),
                    done = std::move(done)]() mutable {
      absl::Status status = RelocateNow(request, route);
      if (status.ok()) routes_.Erase(request.lease_id);
      EndAffair(id);
      std::move(done)(std::move(status));
    });
  });
}

absl::Status TieredPeer::Engine::RelocateNow(const RelocateRequest& request,
                                             const TierRoute& route) {
  const ObjectId& to = request.to;
  if (!affairs_.TryBegin(to, TierAffairs::Kind::kChange)) {
    for (Peer* const tier : {hot_.get(), cold_.get()}) {
      const absl::StatusOr<ObjectInfo> moving = blocking::Stat(*tier, to);
      if (moving.ok() && moving->state == ObjectState::kSealed) {
        return MakeError(ErrorKind::kAlreadyExists,
                         absl::StrCat("object ", to.ToQuoted(), " exists and is sealed"));
      }
    }
    return MakeError(ErrorKind::kBusy,
                     absl::StrCat("something else is being done to object ", to.ToQuoted()));
  }
  const absl::Status status = [&]() -> absl::Status {
    if (discards_->Contains(to)) {
      if (absl::Status carried = CarryOutDiscard(to); !carried.ok()) return carried;
    }
    const absl::StatusOr<ObjectInfo> taken = blocking::Stat(*cold_, to);
    if (taken.ok() && taken->state == ObjectState::kSealed) {
      return MakeError(ErrorKind::kAlreadyExists,
                       absl::StrCat("object ", to.ToQuoted(), " exists and is sealed"));
    }
    // Nobody creates an object of that id in hot meanwhile.
    AcquireRequest guard_request;
    guard_request.access = Access::kCreate;
    guard_request.object_id = to;
    guard_request.blob_sizes = {0};
    guard_request.quiet = true;
    guard_request.session = session_;
    const absl::StatusOr<Grant> guard = blocking::Acquire(*hot_, std::move(guard_request));
    if (!guard.ok()) return guard.status();
    absl::Status moved =
        route.tier == Tier::kCold ? RelocateInCold(request) : RelocateFromHot(request, route);
    hot_->Release({guard->lease.id, session_, request.operation}, nullptr);
    return moved;
  }();
  EndAffair(to);
  return status;
}

absl::Status TieredPeer::Engine::RelocateInCold(const RelocateRequest& request) {
  absl::Status status = blocking::Relocate(*cold_, request);
  if (status.ok()) cold_gains_.fetch_add(1);
  return status;
}

absl::Status TieredPeer::Engine::RelocateFromHot(const RelocateRequest& request,
                                                 const TierRoute& route) {
  const ObjectId& id = route.lease.object_id;
  // What has the id since the lease's own object ended is none of the lease's.
  AcquireRequest look;
  look.object_id = id;
  look.quiet = true;
  look.session = session_;
  const absl::StatusOr<Grant> there = blocking::Acquire(*hot_, std::move(look));
  if (there.ok()) hot_->Release({there->lease.id, session_, request.operation}, nullptr);
  if (!there.ok() || !IsSameObject(*there, route)) return blocking::Relocate(*hot_, request);

  DirtyObject* dirty;
  {
    MutexLock lock(mutex_);
    dirty = dirty_.Find(id);
  }
  const absl::StatusOr<ObjectInfo> info = blocking::Stat(*hot_, id);
  if (!info.ok()) return info.status();
  if (info->leases > (dirty != nullptr ? 2 : 1)) {
    return MakeError(ErrorKind::kBusy, "others hold leases on the object; the object keeps its id");
  }
  if (dirty != nullptr) {
    absl::Status copied = CopyToCold(*dirty, request.operation);
    health_.Moved(copied);
    if (!copied.ok()) return copied;
    cold_gains_.fetch_add(1);
    DropDirty(id, absl::OkStatus());
  }
  const SessionId session = NewSessionId();
  AcquireRequest write;
  write.access = Access::kWrite;
  write.object_id = id;
  write.quiet = true;
  write.session = session;
  write.operation = request.operation;
  const absl::StatusOr<Grant> cold = blocking::Acquire(*cold_, std::move(write));
  MindSession(session, cold.status());
  if (!cold.ok()) return cold.status();
  RelocateRequest relocate = request;
  relocate.lease_id = cold->lease.id;
  relocate.session = session;
  absl::Status moved = blocking::Relocate(*cold_, relocate);
  MindSession(session, moved);
  if (!moved.ok()) {
    cold_->Release({cold->lease.id, session, request.operation}, nullptr);
    return moved;
  }
  cold_gains_.fetch_add(1);
  // Cold has it under its new id; hot's copy under the old one ends, and with it the lease. If that
  // was over just then, whoever has the next one has it for the copy alone.
  const LeaseRequest lease{request.lease_id, request.session, request.operation};
  if (!blocking::Discard(*hot_, lease).ok()) PurgeFromHot(id, Unheard());
  return absl::OkStatus();
}

void TieredPeer::Engine::PurgeFromHot(const ObjectId& id, Done<absl::Status> done) {
  AcquireRequest request;
  request.access = Access::kWrite;
  request.object_id = id;
  request.wait = absl::Hours(1);
  request.quiet = true;
  request.session = session_;
  hot_->Acquire(std::move(request),
                [this, id, done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
                  DropDirty(id, MakeError(ErrorKind::kNotFound, "the object was discarded"));
                  if (!grant.ok()) {
                    const bool gone = KindOf(grant.status()) == ErrorKind::kNotFound;
                    return std::move(done)(gone ? absl::OkStatus() : grant.status());
                  }
                  hot_->Discard({grant->lease.id, session_, OperationId::kNone}, std::move(done));
                });
}

void TieredPeer::Engine::DropDirty(const ObjectId& id, const absl::Status& status) {
  std::unique_ptr<DirtyObject> dropped;
  bool room_wanted;
  {
    MutexLock lock(mutex_);
    dropped = dirty_.Erase(id);
    if (dropped == nullptr) return;
    room_wanted = !room_waiters_.empty();
    changed_.NotifyAll();
  }
  hot_->Release({dropped->pin.lease.id, session_, OperationId::kNone}, nullptr);
  for (auto& waiter : dropped->waiters) std::move(waiter)(status);
  if (room_wanted) executor_->Run([this] { RetryCreates(); });
}

}  // namespace packice
