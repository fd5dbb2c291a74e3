#include "tracker_watch.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "grpc_error.h"

namespace packice {
namespace {

// Of one message: even with the longest ids it stays below 256 KiB, and the table is locked for
// less than a millisecond.
constexpr size_t kPage = 1000;
constexpr size_t kScanAtOnce = 4000;

}  // namespace

TrackerWatch::TrackerWatch(TrackerService& service, grpc::CallbackServerContext& context,
                           const tracker::v1::WatchRequest& request, uint64_t number,
                           const absl::Status& admitted)
    : service_(service),
      context_(context),
      number_(number),
      admitted_(admitted.ok()),
      prefix_(request.prefix()),
      existing_only_(request.existing_only()),
      existing_(request.existing() || request.existing_only()),
      after_(request.after()),
      limit_(request.limit() == 0 ? std::numeric_limits<uint64_t>::max() : request.limit()) {
  if (!admitted.ok()) end_ = admitted;
}

void TrackerWatch::Start() {
  bool refused = false;
  {
    MutexLock lock(service_.mutex_);
    refused = end_.has_value();
  }
  if (refused) return OnSendInitialMetadataDone(true);
  // The client learns that from now on it misses nothing.
  StartSendInitialMetadata();
}

void TrackerWatch::OnSendInitialMetadataDone(bool ok) { OnWriteDone(ok); }

void TrackerWatch::Push(const TrackerTable::Change& change) {
  if (finished_ || end_ || existing_only_) return;
  if (waiting_.size() == kMaxWaiting) {
    waiting_.clear();
    missed_ = true;
  }
  waiting_.push_back(change);
}

void TrackerWatch::Write() {
  absl::optional<absl::Status> end;
  {
    MutexLock lock(service_.mutex_);
    if (writing_ || finished_) return;
    if (!end_ && Compose()) {
      writing_ = true;
    } else if (end_) {
      finished_ = true;
      end = end_;
    } else {
      return;
    }
  }
  // Nobody else writes or finishes now, because of the flags.
  if (end) {
    Finish(ToGrpc(*end, context_));
  } else {
    StartWrite(&message_);
  }
}

void TrackerWatch::End(absl::Status status) {
  {
    MutexLock lock(service_.mutex_);
    if (!end_) end_ = std::move(status);
  }
  Write();
}

bool TrackerWatch::Compose() {
  message_.Clear();
  message_.set_missed(std::exchange(missed_, false));
  for (size_t i = 0; i < kPage && !waiting_.empty(); ++i) {
    tracker::v1::WatchResponse::Change& told = *message_.add_changes();
    told.set_object_id(std::move(waiting_.front().object_id));
    told.set_held(waiting_.front().held);
    waiting_.pop_front();
  }
  // Only once all earlier changes are told, so that none of them is taken for a later one.
  if (existing_ && waiting_.empty()) ComposeExisting();
  if (message_.changes_size() > 0 || message_.missed()) return true;
  // A slice without anything to tell is told all the same: its answer calls for the next one.
  if (existing_) return true;
  if (existing_only_) end_ = absl::OkStatus();
  return false;
}

void TrackerWatch::ComposeExisting() {
  const size_t room = kPage - static_cast<size_t>(message_.changes_size());
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(room, limit_));
  TrackerTable::Page page =
      service_.table_.List(prefix_, after_, wanted, kScanAtOnce, service_.clock_.Now());
  limit_ -= page.object_ids.size();
  existing_ = page.more && limit_ > 0;
  after_ = std::move(page.last);
  for (std::string& id : page.object_ids) {
    tracker::v1::WatchResponse::Change& told = *message_.add_changes();
    told.set_object_id(std::move(id));
    told.set_held(true);
  }
}

void TrackerWatch::OnWriteDone(bool ok) {
  {
    MutexLock lock(service_.mutex_);
    writing_ = false;
    if (!ok && !end_) end_ = absl::CancelledError();
  }
  Write();
}

void TrackerWatch::OnCancel() { End(absl::CancelledError()); }

void TrackerWatch::OnDone() { service_.Forget(this); }

}  // namespace packice
