// How a fetch finds holders: what the directory says, and what follows from it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fetch.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr absl::Duration kCrowd = absl::Milliseconds(50);
constexpr int kMaxFruitless = 4;
constexpr absl::Duration kLastLocateInterval = absl::Seconds(10);
// A directory that knows nothing yet is not asked more often.
constexpr absl::Duration kMinRetry = absl::Milliseconds(10);

}  // namespace

void Fetch::Locate() {
  locating_ = true;
  locate_at_ = absl::InfiniteDuration();
  LocateRequest request;
  request.object_id = object_id_;
  request.exclude = sources_.holders().Useless();
  if (request.exclude.size() > LocateRequest::kLimit) request.exclude.resize(LocateRequest::kLimit);
  request.has_origin = context_->origin != nullptr;
  context_->directory.Locate(std::move(request),
                             [weak = weak_from_this()](absl::StatusOr<Location> location) {
                               const std::shared_ptr<Fetch> self = weak.lock();
                               if (self == nullptr || self->phase_ == Phase::kEnded) return;
                               const CallScope scope(self->context_);
                               self->locating_ = false;
                               self->OnLocation(std::move(location));
                             });
}

void Fetch::OnLocation(absl::StatusOr<Location> location) {
  if (phase_ == Phase::kOrigin || phase_ == Phase::kSealing) return;
  const Instant now = context_->Now();
  context_->WakeBy(now + kBeat);
  LocateBy(now + locate_interval_ * (0.75 + 0.5 * context_->random.Fraction()));
  locate_interval_ = std::min(locate_interval_ * 2, kLastLocateInterval);
  if (!location.ok()) {
    OnUnlocated(location.status());
  } else if (location->digest.empty() || OnlyHere(*location)) {
    OnNobody(*location);
  } else {
    OnHolders(*location);
  }
}

// This node itself was the holder, just now, or is.
bool Fetch::OnlyHere(const Location& location) const {
  return phase_ == Phase::kLocating && location.holders.empty() && sources_.sources().empty() &&
         sources_.holders().Useless().empty();
}

void Fetch::OnUnlocated(absl::Status why) {
  // What is known of the object goes on without the directory.
  if (!digest_.empty()) return;
  if (++fruitless_ >= kMaxFruitless) End(std::move(why));
}

void Fetch::OnNobody(const Location& location) {
  if (!digest_.empty() && (sources_.ever_open() || sources_.holders().hopeful())) return;
  if (location.origin_grant && context_->origin != nullptr) {
    StartOrigin();
  } else if (location.retry_after) {
    locate_at_ = context_->Now() + std::max(*location.retry_after, kMinRetry);
    context_->WakeBy(locate_at_);
  } else {
    End(MakeError(ErrorKind::kNotFound,
                  absl::StrCat("no node that can be asked has ", object_id_.ToQuoted())));
  }
}

void Fetch::OnHolders(const Location& location) {
  // While nothing has come of one content, it may as well be another.
  if (digest_.empty() || (manifest_ == nullptr && sources_.sources().empty())) {
    digest_ = location.digest;
    size_ = location.size;
  }
  if (location.digest != digest_) return;  // another content: not the one that is downloaded
  if (phase_ == Phase::kLocating) {
    phase_ = Phase::kConnecting;
    TellStarted();
    // A crowd that begins at once knows each other only by hearsay, and would hang together in
    // clusters: until the directory knows who else is there, nobody has more sources than it named.
    const size_t most = context_->options.max_sources;
    crowd_ = location.holders.size() < context_->options.full_mesh;
    const size_t first = crowd_ ? std::clamp<size_t>(location.holders.size(), 1, most) : most;
    sources_.SetLimit(size_ <= context_->options.eager_bytes ? 1 : first);
    if (crowd_) LocateBy(context_->Now() + kCrowd * (0.75 + 0.5 * context_->random.Fraction()));
  } else if (crowd_) {
    crowd_ = false;
    sources_.SetLimit(context_->options.max_sources);
  }
  for (const Holder& holder : location.holders) {
    const bool near = !holder.zone.empty() && holder.zone == context_->options.zone;
    sources_.Learn(holder.address, near);
  }
  sources_.Seek();
  if (!sources_.sources().empty() || sources_.holders().hopeful()) {
    fruitless_ = 0;
  } else if ((sources_.bans() > 0 && sources_.holders().all_banned()) ||
             (!sources_.ever_open() && ++fruitless_ >= kMaxFruitless)) {
    End(OutOfHolders());
  }
}

void Fetch::TellStarted() {
  started_at_ = context_->Now();
  if (std::exchange(told_started_, true)) return;
  ++context_->counters.downloads_started;
  Publish(EventKind::kDownloadStarted, "");
}

void Fetch::LocateBy(Instant at) {
  locate_at_ = std::min(at, locate_at_ <= context_->Now() ? at : locate_at_);
  context_->WakeBy(locate_at_);
}

void Fetch::StartOrigin() {
  phase_ = Phase::kOrigin;
  TellStarted();
  context_->origin->Copy(object_id_, [weak = weak_from_this()](absl::Status copied) {
    const std::shared_ptr<Fetch> self = weak.lock();
    if (self == nullptr || self->phase_ == Phase::kEnded) return;
    const CallScope scope(self->context_);
    if (copied.ok()) {
      ++self->context_->counters.origin_copies;
    } else {
      self->context_->directory.Report(self->object_id_, "", HolderFault::kOrigin);
    }
    self->End(std::move(copied));
  });
}

}  // namespace packice
