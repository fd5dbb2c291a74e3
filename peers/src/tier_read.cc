// Reads: from hot, else from cold at once, with a promotion beside it.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tier_engine.h"

namespace packice {
namespace {

// Whether a client on this host can reach the bytes by itself.
bool IsReachable(const Object& object) {
  return std::none_of(object.blobs().begin(), object.blobs().end(), [](const auto& blob) {
    return absl::holds_alternative<UrlDescriptor>(blob->Describe());
  });
}

}  // namespace

void TieredPeer::Engine::Acquire(AcquireRequest&& request, Done<absl::StatusOr<Grant>>&& done) {
  switch (request.access) {
    case Access::kRead:
      return Read(std::move(request), std::move(done));
    case Access::kCreate:
      return Create(std::move(request), std::move(done));
    case Access::kWrite:
      return AcquireWrite(std::move(request), std::move(done));
  }
}

void TieredPeer::Engine::ReadQuestion::Take(const AcquireRequest& request) {
  id = request.object_id;
  ttl = request.ttl;
  wait = request.wait;
  session = request.session;
  operation = request.operation;
  quiet = request.quiet;
}

AcquireRequest TieredPeer::Engine::ReadQuestion::ToRequest(absl::Duration with_wait) const {
  AcquireRequest request;
  request.access = Access::kRead;
  request.object_id = id;
  request.ttl = ttl;
  request.wait = with_wait;
  request.quiet = quiet;
  request.session = session;
  request.operation = operation;
  return request;
}

// What a read that was passed on to hot leaves behind, in case hot misses. Each thread uses the
// same few again and again: a hit allocates nothing.
struct TieredPeer::Engine::HotRead {
  static std::unique_ptr<HotRead> Make() {
    std::vector<std::unique_ptr<HotRead>>& free = Free();
    if (free.empty()) return std::make_unique<HotRead>();
    std::unique_ptr<HotRead> read = std::move(free.back());
    free.pop_back();
    return read;
  }
  static void Recycle(std::unique_ptr<HotRead> read) {
    constexpr size_t kMost = 16;
    if (Free().size() < kMost) Free().push_back(std::move(read));
  }

  uint64_t gains = 0;
  ReadQuestion question;
  Done<absl::StatusOr<Grant>> done;

 private:
  static std::vector<std::unique_ptr<HotRead>>& Free() {
    static thread_local std::vector<std::unique_ptr<HotRead>> free;
    return free;
  }
};

void TieredPeer::Engine::Read(AcquireRequest&& request, Done<absl::StatusOr<Grant>>&& done) {
  // What is being promoted hot does not have yet.
  if (affairs_.IsPromoting(request.object_id)) {
    ReadQuestion question;
    question.Take(request);
    return ReadCold(std::move(question), std::move(done));
  }
  std::unique_ptr<HotRead> read = HotRead::Make();
  read->question.Take(request);
  read->done = std::move(done);
  request.wait = absl::ZeroDuration();
  ReadHot(std::move(request), std::move(read));
}

void TieredPeer::Engine::ReadAgain(ReadQuestion question, Done<absl::StatusOr<Grant>> done) {
  std::unique_ptr<HotRead> read = HotRead::Make();
  AcquireRequest request = question.ToRequest(absl::ZeroDuration());
  read->question = std::move(question);
  read->done = std::move(done);
  ReadHot(std::move(request), std::move(read));
}

void TieredPeer::Engine::ReadHot(AcquireRequest&& request, std::unique_ptr<HotRead> read) {
  read->gains = hot_gains_.load();
  // Two pointers: what a callback holds without an allocation.
  hot_->Acquire(std::move(request), [this, raw = read.release()](absl::StatusOr<Grant> grant) {
    std::unique_ptr<HotRead> asked(raw);
    Done<absl::StatusOr<Grant>> done = std::move(asked->done);
    if (!grant.ok()) {
      HotMissed(std::move(asked->question), asked->gains, std::move(grant), std::move(done));
      return;
    }
    HotRead::Recycle(std::move(asked));
    std::move(done)(std::move(grant));
  });
}

void TieredPeer::Engine::HotMissed(ReadQuestion question, uint64_t gains,
                                   absl::StatusOr<Grant> grant, Done<absl::StatusOr<Grant>> done) {
  const ErrorKind kind = KindOf(grant.status());
  if (kind == ErrorKind::kNotFound) return ReadCold(std::move(question), std::move(done));
  if (kind != ErrorKind::kNotSealed) return std::move(done)(std::move(grant));
  if (affairs_.IsPromoting(question.id)) return ReadCold(std::move(question), std::move(done));
  if (hot_gains_.load() != gains) return ReadAgain(std::move(question), std::move(done));
  if (question.wait <= absl::ZeroDuration()) return std::move(done)(std::move(grant));
  AcquireRequest waiting = question.ToRequest(question.wait);
  question.wait = absl::ZeroDuration();
  hot_->Acquire(std::move(waiting), [this, question = std::move(question),
                                     done = std::move(done)](absl::StatusOr<Grant> waited) mutable {
    if (waited.ok() || KindOf(waited.status()) != ErrorKind::kNotFound) {
      return std::move(done)(std::move(waited));
    }
    ReadCold(std::move(question), std::move(done));
  });
}

void TieredPeer::Engine::ReadCold(ReadQuestion question, Done<absl::StatusOr<Grant>> done) {
  const ObjectId& id = question.id;
  if (discards_->Contains(id)) {
    misses_.fetch_add(question.quiet ? 0 : 1, std::memory_order_relaxed);
    return std::move(done)(
        MakeError(ErrorKind::kNotFound, absl::StrCat("no object ", id.ToQuoted())));
  }
  if (health_.IsDown()) {
    return std::move(done)(
        ColdIsDown(absl::StrCat("object ", id.ToQuoted(), " is not in the hot tier")));
  }
  AcquireRequest request = question.ToRequest(question.wait);
  cold_->Acquire(std::move(request),
                 [this, gains = hot_gains_.load(), question = std::move(question),
                  done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
                   if (grant.ok())
                     return ColdGranted(std::move(question), *std::move(grant), std::move(done));
                   ColdMissed(std::move(question), gains, grant.status(), std::move(done));
                 });
}

void TieredPeer::Engine::ColdMissed(ReadQuestion question, uint64_t gains,
                                    const absl::Status& status, Done<absl::StatusOr<Grant>> done) {
  health_.Answered(status);
  if (KindOf(status) == ErrorKind::kNotFound) {
    // It may have been promoted, and then gone from cold, between the two questions.
    if (hot_gains_.load() != gains) return ReadAgain(std::move(question), std::move(done));
    misses_.fetch_add(question.quiet ? 0 : 1, std::memory_order_relaxed);
  }
  std::move(done)(status);
  Attend();
}

void TieredPeer::Engine::ColdGranted(ReadQuestion question, Grant grant,
                                     Done<absl::StatusOr<Grant>> done) {
  const Object& object = *grant.object;
  const bool worth = MayPromote(object);
  const bool reachable = IsReachable(object);
  if (!question.quiet) {
    const uint64_t size = object.size();
    cold_hits_.fetch_add(1, std::memory_order_relaxed);
    cold_hit_bytes_.fetch_add(size, std::memory_order_relaxed);
    if (events_.WantsReads()) {
      Publish(EventKind::kRead, question.operation, question.id, size, "cold");
    }
    if (worth && reachable && history_.Read(question.id, clock_.Now())) {
      BeginPromotion(question.id, /*needed=*/false);
    }
  }
  routes_.Insert(TierRoute{Tier::kCold, grant.lease, grant.object});
  if (worth && !reachable) {
    return ReadThroughHot(std::move(question), std::move(grant), std::move(done));
  }
  std::move(done)(std::move(grant));
}

void TieredPeer::Engine::ReadThroughHot(ReadQuestion question, Grant grant,
                                        Done<absl::StatusOr<Grant>> done) {
  const ObjectId id = question.id;
  BeginPromotion(id, /*needed=*/true);
  affairs_.AfterPromotion(id, [this, question = std::move(question), grant = std::move(grant),
                               done = std::move(done)]() mutable {
    AcquireRequest again = question.ToRequest(absl::ZeroDuration());
    again.quiet = true;  // counted as a hit of cold
    hot_->Acquire(std::move(again), [this, session = question.session, grant = std::move(grant),
                                     done = std::move(done)](absl::StatusOr<Grant> hots) mutable {
      // It may not have been worth it, or have failed: cold's own way is slower, but goes.
      if (!hots.ok()) return std::move(done)(std::move(grant));
      routes_.Erase(grant.lease.id);
      cold_->Release({grant.lease.id, session, OperationId::kNone}, nullptr);
      std::move(done)(std::move(hots));
    });
  });
}

bool TieredPeer::Engine::MayPromote(const Object& object) const {
  return object.footprint() <= promote_max_;
}

bool TieredPeer::Engine::BeginPromotion(const ObjectId& id, bool needed) {
  if (stopping_.load() || discards_->Contains(id)) return false;
  {
    MutexLock lock(mutex_);
    if (!needed && promoting_ >= options_.moves) return false;
  }
  if (!affairs_.TryBegin(id, TierAffairs::Kind::kPromotion)) return false;
  // One who comes later waits for the promotion to end.
  if (routes_.HasWriter(id)) {
    EndAffair(id);
    return false;
  }
  {
    MutexLock lock(mutex_);
    ++promoting_;
  }
  executor_->Run([this, id] { Promote(id); });
  return true;
}

}  // namespace packice
