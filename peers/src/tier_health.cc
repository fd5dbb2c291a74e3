#include "tier_health.h"

#include <algorithm>
#include <utility>

#include "packice/core/error.h"

namespace packice {
namespace {

std::string ReasonOf(const absl::Status& status) {
  return status.message().empty() ? std::string(status.ToString()) : std::string(status.message());
}

}  // namespace

bool IsOutOfReach(const absl::Status& status) {
  if (status.ok()) return false;
  const ErrorKind kind = KindOf(status);
  return kind == ErrorKind::kUnavailable || kind == ErrorKind::kTimeout;
}

TierHealth::TierHealth(const Clock& clock, RandomSource& random, absl::Duration first,
                       absl::Duration last, OnChange on_change)
    : clock_(clock),
      random_(random),
      first_(first),
      last_(std::max(first, last)),
      on_change_(std::move(on_change)) {
  MutexLock lock(mutex_);
  moves_.next = probes_.next = first_;
}

TierHealth::View TierHealth::ViewLocked() const {
  if (!down_reason_.empty()) return {TierState::kDown, down_reason_};
  if (!failing_reason_.empty()) return {TierState::kFailing, failing_reason_};
  if (!full_reason_.empty()) return {TierState::kFull, full_reason_};
  if (!slow_reason_.empty()) return {TierState::kSlow, slow_reason_};
  return {};
}

TierHealth::View TierHealth::Get() const {
  MutexLock lock(mutex_);
  return ViewLocked();
}

template <typename Change>
void TierHealth::Apply(Change change) {
  MutexLock telling(telling_);
  TierState before;
  View after;
  {
    MutexLock lock(mutex_);
    before = ViewLocked().state;
    change();
    after = ViewLocked();
    down_.store(after.state == TierState::kDown, std::memory_order_relaxed);
  }
  if (before != after.state) on_change_(before, after);
}

void TierHealth::Prolong(Pause& pause) {
  uint32_t random = 0;
  random_.Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(&random), sizeof(random)));
  const absl::Duration less = pause.next / 2 * (random / 4294967296.0);
  pause.until = clock_.Now() + pause.next - less;
  pause.next = std::min(pause.next * 2, last_);
}

void TierHealth::Answered(const absl::Status& status) {
  if (!IsOutOfReach(status)) return;
  MutexLock lock(mutex_);
  suspected_ = true;
}

void TierHealth::Moved(const absl::Status& status) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (status.ok()) {
      moves_ = Pause{first_};
      failing_reason_.clear();
      full_reason_.clear();
      return;
    }
    Prolong(moves_);
    if (IsOutOfReach(status)) {
      suspected_ = true;
      return;
    }
    (KindOf(status) == ErrorKind::kCapacity ? full_reason_ : failing_reason_) = ReasonOf(status);
  });
}

void TierHealth::SetSlow(bool slow, absl::string_view reason) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    slow_reason_ = slow ? std::string(reason) : std::string();
  });
}

Instant TierHealth::NextMove() const {
  MutexLock lock(mutex_);
  if (!down_reason_.empty()) return absl::InfiniteDuration();
  return moves_.until;
}

Instant TierHealth::NextProbe() const {
  MutexLock lock(mutex_);
  if (probing_ || (!suspected_ && down_reason_.empty())) return absl::InfiniteDuration();
  return probes_.until;
}

bool TierHealth::TakeProbe() {
  MutexLock lock(mutex_);
  if (probing_ || (!suspected_ && down_reason_.empty())) return false;
  if (probes_.until > clock_.Now()) return false;
  probing_ = true;
  return true;
}

void TierHealth::Probed(const absl::Status& status) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    probing_ = suspected_ = false;
    if (status.ok()) {
      down_reason_.clear();
      probes_ = Pause{first_};
      return;
    }
    down_reason_ = ReasonOf(status);
    Prolong(probes_);
  });
}

}  // namespace packice
