#include "discard_everywhere.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Those who did not hold it, or whom the directory had wrong, have nothing to tell.
bool Tells(const absl::Status& result) {
  return result.ok() || KindOf(result) != ErrorKind::kNotFound;
}

}  // namespace

void DiscardEverywhere::Start() {
  objects_.Discard(object_id_, [self = shared_from_this()](absl::Status result) {
    if (Tells(result)) self->removals_.push_back({"", std::move(result)});
    self->AskForHolders();
  });
}

void DiscardEverywhere::AskForHolders() {
  LocateRequest request;
  request.object_id = object_id_;
  request.max = LocateRequest::kLimit;
  request.exclude = asked_;
  directory_.Locate(std::move(request),
                    [self = shared_from_this()](absl::StatusOr<Location> location) {
                      self->OnLocated(std::move(location));
                    });
}

void DiscardEverywhere::OnLocated(absl::StatusOr<Location> location) {
  if (!location.ok()) {
    // Who holds it cannot be told: what was done is not everywhere.
    removals_.push_back({"", location.status()});
    return std::move(done_)(std::move(removals_));
  }
  if (location->holders.empty() && !location->digest.empty() && ++looks_ < kLooks) {
    return LookAgain();
  }
  if (location->holders.empty()) {
    if (removals_.empty()) {
      return std::move(done_)(MakeError(
          ErrorKind::kNotFound, absl::StrCat("nobody holds object ", object_id_.ToQuoted())));
    }
    return std::move(done_)(std::move(removals_));
  }
  awaited_ = location->holders.size();
  for (const Holder& holder : location->holders) {
    asked_.push_back(holder.address);
    engine_.DiscardAt(holder.address, object_id_,
                      [self = shared_from_this(), address = holder.address](absl::Status result) {
                        self->OnDiscarded(address, std::move(result));
                      });
  }
}

void DiscardEverywhere::LookAgain() {
  timers_.RunAt(clock_.Now() + kPause,
                [self = shared_from_this()] { self->post_([self] { self->AskForHolders(); }); });
}

void DiscardEverywhere::OnDiscarded(const std::string& holder, absl::Status result) {
  if (Tells(result)) removals_.push_back({holder, std::move(result)});
  if (--awaited_ == 0) AskForHolders();
}

}  // namespace packice
