#include "tracker_watch_client.h"

#include <algorithm>
#include <utility>

namespace packice {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kLastRetry = absl::Seconds(5);
// Of what is held already. A watch of more than that learns only of what changes.
constexpr uint32_t kMaxExisting = 10'000;

// The watch whose callback runs on this thread.
thread_local const TrackerWatchClient* telling_now = nullptr;

}  // namespace

void TrackerWatchClient::Start(const std::vector<std::unique_ptr<TrackerLink>>& links) {
  {
    MutexLock lock(mutex_);
    for (const auto& link : links) {
      sources_.emplace_back();
      sources_.back().link = link.get();
    }
  }
  for (size_t source = 0; source < links.size(); ++source) Open(source);
}

void TrackerWatchClient::End() {
  std::vector<std::shared_ptr<TrackerLink::Stream>> streams;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    for (Source& source : sources_) streams.push_back(std::move(source.stream));
  }
  for (const auto& stream : streams) {
    if (stream != nullptr) stream->Cancel();
  }
  if (telling_now == this) return;  // under telling_ already, and Tell looks at ended_ next
  MutexLock lock(telling_);
  silent_ = true;
}

void TrackerWatchClient::Open(size_t source) {
  TrackerLink* link = nullptr;
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    link = sources_[source].link;
  }
  tracker::v1::WatchRequest request;
  request.set_prefix(prefix_);
  request.set_existing(true);
  request.set_limit(kMaxExisting);
  auto self = shared_from_this();
  auto stream = link->Watch(
      std::move(request), absl::InfiniteDuration(),
      [self, source](const tracker::v1::WatchResponse& response) {
        {
          MutexLock lock(self->mutex_);
          self->sources_[source].failures = 0;
          // Begun again, it tells what is held now.
          if (response.missed() && self->sources_[source].stream != nullptr) {
            self->sources_[source].stream->Cancel();
          }
        }
        self->Tell(response);
      },
      [self, source](const absl::Status&) { self->Again(source); });
  MutexLock lock(mutex_);
  if (ended_) {
    if (stream != nullptr) stream->Cancel();
    return;
  }
  sources_[source].stream = std::move(stream);
}

void TrackerWatchClient::Tell(const tracker::v1::WatchResponse& response) {
  MutexLock lock(telling_);
  for (const auto& change : response.changes()) {
    auto id = ObjectId::Parse(change.object_id());
    if (!id.ok()) continue;
    {
      MutexLock state(mutex_);
      if (ended_) silent_ = true;
    }
    if (silent_) return;
    telling_now = this;
    on_change_({*std::move(id), change.held()});
    telling_now = nullptr;
  }
}

void TrackerWatchClient::Again(size_t source) {
  absl::Duration wait;
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    wait = std::min(kFirstRetry * (1 << std::min(sources_[source].failures, 10u)), kLastRetry);
    ++sources_[source].failures;
  }
  run_after_(wait, [self = shared_from_this(), source] { self->Open(source); });
}

}  // namespace packice
