// What a tiered peer does by itself: starting, flushing, and what time makes due.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "tier_engine.h"

namespace packice {
namespace {

// How often a flush looks whether cold can be tried again.
constexpr absl::Duration kFlushStep = absl::Milliseconds(10);
// How often routes are looked through for leases that are over.
constexpr absl::Duration kRoutesPeriod = absl::Minutes(1);

uint64_t Share(uint64_t bytes, double share) {
  return static_cast<uint64_t>(static_cast<double>(bytes) * share);
}

}  // namespace

TieredPeer::Engine::Engine(std::unique_ptr<Peer> hot, std::unique_ptr<Peer> cold,
                           TieredPeerOptions options, std::unique_ptr<Executor> executor,
                           std::unique_ptr<DiscardLog> discards)
    : options_(std::move(options)),
      clock_(*options_.clock),
      events_(*options_.events),
      session_(NewSessionId()),
      discards_(std::move(discards)),
      health_(clock_, *options_.random, options_.first_retry, options_.last_retry,
              [this](TierState before, const TierHealth::View& after) { OnHealth(before, after); }),
      history_(options_.promote_hits, options_.promote_window),
      cold_(std::move(cold)),
      hot_(std::move(hot)),
      executor_(std::move(executor)) {}

TieredPeer::Engine::~Engine() {
  stopping_.store(true);
  std::deque<RoomWaiter> waiters;
  {
    MutexLock lock(mutex_);
    waiters.swap(room_waiters_);
  }
  for (RoomWaiter& waiter : waiters) {
    std::move(waiter.done)(MakeError(ErrorKind::kUnavailable, "the node ends"));
  }
  // Tasks know the reaper; what it has begun in the meantime does not any more.
  executor_->AwaitIdle();
  reaper_.reset();
  executor_->AwaitIdle();
  hot_->EndSession(session_);
  cold_->EndSession(session_);
}

absl::Status TieredPeer::Engine::Start() {
  const absl::StatusOr<PeerStats> stats = blocking::Stats(*hot_);
  if (!stats.ok()) return stats.status();
  hot_capacity_ = stats->capacity;
  constexpr uint64_t kNever = ~uint64_t{0};
  high_water_ = hot_capacity_ ? Share(*hot_capacity_, options_.high_water) : kNever;
  low_water_ = hot_capacity_ ? Share(*hot_capacity_, options_.low_water) : kNever;
  promote_max_ = options_.promote_max.value_or(hot_capacity_ ? *hot_capacity_ / 4 : kNever);

  ListRequest request;
  request.limit = ListRequest::kMaxLimit;
  while (true) {
    absl::StatusOr<ListPage> page = blocking::List(*hot_, request);
    if (!page.ok()) return page.status();
    for (const ObjectInfo& info : page->objects) {
      if (info.state != ObjectState::kSealed) continue;
      // One that ends meanwhile needs no keeping.
      Adopt(info.object_id, info.expires_at.has_value(), /*ask_cold=*/true,
            [](const absl::Status&) {});
    }
    if (!page->next.has_value()) break;
    request.after = std::string(page->next->bytes());
  }
  if (options_.background) {
    reaper_ = std::make_unique<Reaper>(clock_, [this] { return RunDue(); });
  }
  return absl::OkStatus();
}

absl::Status TieredPeer::Engine::Flush(absl::Duration patience) {
  const Instant deadline = clock_.Now() + patience;
  {
    MutexLock lock(mutex_);
    ++flushing_;
  }
  Pump();
  absl::Status status;
  while (true) {
    if (DirtyObject* const object = NextDemotion(/*flush=*/true)) {
      Demote(*object);
      continue;
    }
    const TierHealth::View cold = health_.Get();
    RunDue();
    MutexLock lock(mutex_);
    if (dirty_.size() == 0) break;
    const bool stuck = dirty_.queued() == 0 && demoting_ == 0;
    if (clock_.Now() < deadline && !stuck) {
      changed_.WaitFor(mutex_, kFlushStep);
      continue;
    }
    status = MakeError(
        stuck ? ErrorKind::kAlreadyExists : ErrorKind::kTimeout,
        absl::StrCat(dirty_.bytes(), " bytes in ", dirty_.size(),
                     stuck ? " objects cannot be demoted: the cold tier has others of their ids"
                           : " objects were not demoted in time",
                     "; the cold tier is ", TierStateName(cold.state),
                     cold.reason.empty() ? "" : ": ", cold.reason));
    break;
  }
  MutexLock lock(mutex_);
  --flushing_;
  return status;
}

void TieredPeer::Engine::AwaitIdle() {
  while (true) {
    Pump();
    executor_->AwaitIdle();
    const bool can_move = health_.NextMove() <= clock_.Now();
    const Instant now = clock_.Now();
    MutexLock lock(mutex_);
    const DirtyObject* const next = dirty_.First();
    const bool more = next != nullptr && can_move && WantsDemotion(*next, now);
    if (!more && demoting_ == 0 && promoting_ == 0) return;
  }
}

Instant TieredPeer::Engine::RunDue() {
  CheckPace();
  Probe();
  RetryDiscards();
  const Instant now = clock_.Now();
  std::vector<RoomWaiter> late;
  bool check_routes;
  {
    MutexLock lock(mutex_);
    while (!room_waiters_.empty() && room_waiters_.front().deadline <= now) {
      late.push_back(std::move(room_waiters_.front()));
      room_waiters_.pop_front();
    }
    while (!resting_.empty() && resting_.begin()->first <= now) {
      DirtyObject* const object = dirty_.Find(resting_.begin()->second);
      resting_.erase(resting_.begin());
      if (object != nullptr && std::exchange(object->resting, false)) dirty_.PutBack(*object);
    }
    check_routes = now - routes_checked_ >= kRoutesPeriod;
    if (check_routes) routes_checked_ = now;
  }
  for (RoomWaiter& waiter : late) {
    std::move(waiter.done)(
        NoRoom(MakeError(ErrorKind::kCapacity, "no room in the hot tier in time")));
  }
  if (check_routes) routes_.EraseExpired(now);
  DropExpired();
  Pump();
  return NextDue();
}

void TieredPeer::Engine::DropExpired() {
  while (true) {
    ObjectId id;
    {
      MutexLock lock(mutex_);
      const DirtyObject* const first = dirty_.FirstToEnd();
      if (first == nullptr || *first->expires_at > clock_.WallTime()) return;
      id = first->id();
      // Whatever is being done to it will see that its time is over.
      if (!affairs_.TryBegin(id, TierAffairs::Kind::kDemotion)) {
        dirty_.PutAside(*dirty_.Find(id));
        continue;
      }
    }
    DropDirty(id, MakeError(ErrorKind::kNotFound, "the object has expired"));
    EndAffair(id);
  }
}

Instant TieredPeer::Engine::NextDue() const {
  const Instant next_move = health_.NextMove();
  const bool down = health_.IsDown();
  Instant next = health_.NextProbe();
  MutexLock lock(mutex_);
  next = std::min(next, routes_checked_ + kRoutesPeriod);
  // RunDue looks at the first of a queue only, and so must this.
  const DirtyObject* const dirty = dirty_.First();
  if (dirty != nullptr && demoting_ < options_.moves) {
    const bool wanted = WantsDemotion(*dirty, dirty->since);
    next = std::min(next,
                    wanted ? next_move : std::max(next_move, dirty->since + options_.flush_after));
  }
  if (const DirtyObject* const ends = dirty_.FirstToEnd()) {
    next = std::min(next, clock_.Now() + (*ends->expires_at - clock_.WallTime()));
  }
  if (!resting_.empty()) next = std::min(next, resting_.begin()->first);
  if (!room_waiters_.empty()) next = std::min(next, room_waiters_.front().deadline);
  if (!slow_) {
    for (const auto& [id, since] : moves_) next = std::min(next, since + options_.slow_after);
  }
  if (!down && !retrying_discards_ && discards_->size() > 0) next = std::min(next, next_discard_);
  return next;
}

void TieredPeer::Engine::Attend() {
  if (stopping_.load()) return;
  Pump();
  if (reaper_ != nullptr) reaper_->Expect(NextDue());
}

void TieredPeer::Engine::Probe() {
  if (stopping_.load() || !health_.TakeProbe()) return;
  executor_->Run([this] {
    const bool was_down = health_.IsDown();
    health_.Probed(blocking::Stats(*cold_).status());
    if (!health_.IsDown()) {
      std::vector<SessionId> sessions;
      {
        MutexLock lock(mutex_);
        sessions.swap(lost_sessions_);
        if (was_down) next_discard_ = absl::ZeroDuration();
      }
      for (const SessionId session : sessions) cold_->EndSession(session);
    }
    Attend();
  });
}

void TieredPeer::Engine::MindSession(SessionId session, const absl::Status& status) {
  if (!IsOutOfReach(status)) return;
  health_.Answered(status);  // so that there is a probe
  MutexLock lock(mutex_);
  lost_sessions_.push_back(session);
}

void TieredPeer::Engine::RetryDiscards() {
  if (discards_->size() == 0 || stopping_.load() || health_.IsDown()) return;
  {
    MutexLock lock(mutex_);
    if (retrying_discards_ || next_discard_ > clock_.Now()) return;
    retrying_discards_ = true;
  }
  executor_->Run([this] {
    absl::Status status;
    for (const ObjectId& id : discards_->All()) {
      if (stopping_.load()) break;
      // Whatever is being done to an object of that id will see to it.
      if (!affairs_.TryBegin(id, TierAffairs::Kind::kChange)) continue;
      // It may have been carried out since, and cold have another object of that id.
      if (discards_->Contains(id)) status = CarryOutDiscard(id);
      EndAffair(id);
      health_.Answered(status);
      if (!status.ok()) break;
    }
    {
      MutexLock lock(mutex_);
      retrying_discards_ = false;
      next_discard_ = clock_.Now() + (status.ok() ? options_.first_retry : options_.last_retry);
    }
    Attend();
  });
}

void TieredPeer::Engine::CheckPace() {
  const Instant now = clock_.Now();
  bool slow = false;
  bool changed;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, since] : moves_) slow = slow || now - since >= options_.slow_after;
    changed = slow != slow_;
    slow_ = slow;
  }
  if (!changed) return;
  health_.SetSlow(slow, absl::StrCat("a move has taken longer than ",
                                     absl::FormatDuration(options_.slow_after)));
}

void TieredPeer::Engine::OnHealth(TierState before, const TierHealth::View& after) {
  const std::string text =
      absl::StrCat(TierStateName(after.state), after.reason.empty() ? "" : ": ", after.reason);
  const bool recovered = after.state == TierState::kOk;
  Publish(recovered ? EventKind::kTierRecovered : EventKind::kTierDegraded, OperationId::kNone,
          ObjectId(), 0, "cold", text);
  options_.log(absl::StrCat("the cold tier was ", TierStateName(before), " and is ", text));
}

void TieredPeer::Engine::Publish(EventKind kind, OperationId operation, const ObjectId& id,
                                 uint64_t size, absl::string_view tier,
                                 absl::string_view detail) const {
  events_.Publish(Event{kind, operation, id, size, tier, detail});
}

absl::Status TieredPeer::Engine::ColdIsDown(absl::string_view what) const {
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat(what, ", and the cold tier is down: ", health_.Get().reason));
}

}  // namespace packice
