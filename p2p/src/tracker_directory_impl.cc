#include "tracker_directory_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/core/error.h"

namespace packice {
namespace {

using tracker::v1::AnnounceRequest;
using tracker::v1::AnnounceResponse;
using AsyncStub = tracker::v1::Tracker::StubInterface::async_interface;

Announcer::Options AnnouncerOptions(const TrackerDirectoryOptions& options) {
  Announcer::Options announcer;
  announcer.address = options.address;
  announcer.zone = options.zone;
  announcer.epoch =
      static_cast<uint64_t>(std::max<int64_t>(absl::ToUnixMicros(options.clock->WallTime()), 1));
  announcer.batch_delay = options.batch_delay;
  announcer.trackers = options.trackers;
  announcer.random = options.random;
  return announcer;
}

}  // namespace

TrackerDirectory::Impl::Impl(TrackerDirectoryOptions options,
                             std::shared_ptr<grpc::ChannelCredentials> credentials)
    : options_(std::move(options)), announcer_(AnnouncerOptions(options_), Now()) {
  for (const std::string& tracker : options_.trackers) {
    links_.push_back(
        std::make_unique<TrackerLink>(tracker, credentials, options_.token, *options_.clock));
  }
  thread_ = std::thread([this] { Run(); });
}

TrackerDirectory::Impl::~Impl() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
  // Their callbacks come here as long as this lasts.
  for (const auto& link : links_) link->Close();
}

// --- The thread.

void TrackerDirectory::Impl::Run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    looks_at_ = NextDue();
    const absl::Duration wait = looks_at_ - Now();
    if (wait > absl::ZeroDuration()) {
      wake_.WaitFor(mutex_, std::min(wait, absl::Hours(1)));
      continue;
    }
    std::vector<std::function<void()>> due;
    while (!timers_.empty() && timers_.begin()->first <= Now()) {
      due.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    mutex_.Unlock();
    for (const auto& run : due) run();
    TellDue();
    mutex_.Lock();
  }
}

Instant TrackerDirectory::Impl::NextDue() {
  Instant next = timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first;
  if (!speaks() || leaving_) return next;
  for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
    next = std::min(next, announcer_.Due(tracker));
  }
  return next;
}

void TrackerDirectory::Impl::RunAfter(absl::Duration wait, std::function<void()> run) {
  MutexLock lock(mutex_);
  const Instant due = Now() + wait;
  timers_.emplace(due, std::move(run));
  if (due < looks_at_) wake_.NotifyAll();
}

void TrackerDirectory::Impl::TellDue() {
  const double load = options_.load();
  std::vector<std::pair<size_t, AnnounceRequest>> messages;
  {
    MutexLock lock(mutex_);
    if (!speaks() || leaving_ || stopping_) return;
    for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
      if (announcer_.Due(tracker) > Now()) continue;
      messages.emplace_back(tracker, announcer_.Begin(tracker, load, options_.clock->WallTime()));
      ++counters_.announces;
      counters_.announced_objects += static_cast<uint64_t>(messages.back().second.holdings_size());
    }
  }
  for (auto& [tracker, request] : messages) Tell(tracker, std::move(request));
}

void TrackerDirectory::Impl::Tell(size_t tracker, AnnounceRequest request) {
  links_[tracker]->Call<AnnounceRequest, AnnounceResponse>(
      &AsyncStub::Announce, std::move(request), options_.call_timeout,
      [this, tracker](absl::StatusOr<AnnounceResponse> response) { Told(tracker, response); });
}

void TrackerDirectory::Impl::Told(size_t tracker,
                                  const absl::StatusOr<AnnounceResponse>& response) {
  std::string log;
  {
    MutexLock lock(mutex_);
    if (response.ok()) {
      if (announcer_.failures(tracker) > 0) log = " answers again";
      if (response->superseded()) log = " knows a younger node of this address";
      if (response->refused() > 0) {
        log = absl::StrCat(" had no room for ", response->refused(), " objects");
        counters_.refused_objects += response->refused();
      }
      announcer_.Answered(tracker, *response, Now());
    } else {
      if (announcer_.failures(tracker) == 0) {
        log = absl::StrCat(" was not told: ", response.status().message());
      }
      ++counters_.failed_announces;
      announcer_.Failed(tracker, Now());
    }
    told_.NotifyAll();
    if (announcer_.Due(tracker) < looks_at_) wake_.NotifyAll();
  }
  if (!log.empty()) options_.log(absl::StrCat("tracker ", links_[tracker]->address(), log));
}

// --- What the node holds.

void TrackerDirectory::Impl::Announce(const Holding& holding) {
  if (!speaks()) return;
  MutexLock lock(mutex_);
  if (leaving_) return;
  announcer_.Hold(holding, Now());
  if (NextDue() < looks_at_) wake_.NotifyAll();
}

void TrackerDirectory::Impl::Withdraw(const ObjectId& object_id) {
  if (!speaks()) return;
  MutexLock lock(mutex_);
  if (leaving_) return;
  announcer_.LetGo(object_id, Now());
  if (NextDue() < looks_at_) wake_.NotifyAll();
}

absl::Status TrackerDirectory::Impl::Flush(absl::Duration patience) {
  if (!speaks()) return absl::OkStatus();
  const Instant deadline = Now() + patience;
  MutexLock lock(mutex_);
  announcer_.Hurry(Now());
  wake_.NotifyAll();
  std::vector<uint64_t> attempts;
  for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
    // What is under way began before this call.
    attempts.push_back(announcer_.attempts(tracker) + (announcer_.under_way(tracker) ? 1 : 0));
  }
  while (true) {
    size_t waiting = 0;
    size_t failed = 0;
    for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
      if (announcer_.Settled(tracker)) continue;
      const bool tried = announcer_.attempts(tracker) > attempts[tracker];
      ++(tried && announcer_.failures(tracker) > 0 ? failed : waiting);
    }
    if (failed > Spare()) {
      return MakeError(ErrorKind::kUnavailable,
                       absl::StrCat(failed, " of ", links_.size(), " trackers do not answer"));
    }
    if (waiting == 0) return absl::OkStatus();
    if (Now() >= deadline) {
      return MakeError(ErrorKind::kTimeout, "the trackers have not answered yet");
    }
    told_.WaitFor(mutex_, deadline - Now());
  }
}

absl::Status TrackerDirectory::Impl::Leave(absl::Duration patience) {
  using tracker::v1::WithdrawRequest;
  using tracker::v1::WithdrawResponse;
  if (!speaks()) return absl::OkStatus();
  const Instant deadline = Now() + patience;
  WithdrawRequest request;
  request.set_address(options_.address);
  request.set_node(true);
  {
    MutexLock lock(mutex_);
    leaving_ = true;
    request.set_epoch(announcer_.epoch());
    // An announce that came after the leave would bring the node back.
    for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
      while (announcer_.under_way(tracker) && Now() < deadline) {
        told_.WaitFor(mutex_, deadline - Now());
      }
    }
  }
  struct Farewell {
    Mutex mutex;
    CondVar changed;
    size_t waiting ABSL_GUARDED_BY(mutex) = 0;
    size_t failed ABSL_GUARDED_BY(mutex) = 0;
  };
  auto farewell = std::make_shared<Farewell>();
  {
    MutexLock lock(farewell->mutex);
    farewell->waiting = links_.size();
  }
  for (const auto& link : links_) {
    link->Call<WithdrawRequest, WithdrawResponse>(
        &AsyncStub::Withdraw, request, std::min(patience, options_.call_timeout),
        [farewell](const absl::StatusOr<WithdrawResponse>& response) {
          MutexLock lock(farewell->mutex);
          --farewell->waiting;
          if (!response.ok()) ++farewell->failed;
          farewell->changed.NotifyAll();
        });
  }
  MutexLock lock(farewell->mutex);
  while (farewell->waiting > 0) {
    if (Now() >= deadline) {
      return MakeError(ErrorKind::kTimeout, "the trackers have not answered yet");
    }
    farewell->changed.WaitFor(farewell->mutex, deadline - Now());
  }
  if (farewell->failed == 0) return absl::OkStatus();
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat(farewell->failed, " of ", links_.size(),
                                " trackers do not answer: they will find out themselves"));
}

}  // namespace packice
