#include "cli/event_feed.h"

namespace packice::cli {

absl::Status EventFeed::SkipToEnd() {
  EventsRequest request = request_;
  request.after.reset();
  request.limit = 0;
  const absl::StatusOr<EventPage> page = client_.Events(request);
  if (!page.ok()) return page.status();
  request_.after = page->next;
  return absl::OkStatus();
}

absl::StatusOr<EventPage> EventFeed::Next(absl::Duration wait) {
  request_.wait = wait;
  while (true) {
    absl::StatusOr<EventPage> page = client_.Events(request_);
    if (page.ok()) {
      request_.after = page->next;
      return page;
    }
    if (KindOf(page.status()) != ErrorKind::kRetentionGap) return page;
    if (absl::Status status = SkipGap(); !status.ok()) return status;
  }
}

absl::Status EventFeed::SkipGap() {
  // The oldest of any kind says how many are gone.
  EventsRequest oldest;
  oldest.limit = 1;
  oldest.kinds = EventKinds::AllButReads().With(EventKind::kRead);
  const absl::StatusOr<EventPage> page = client_.Events(oldest);
  if (!page.ok()) return page.status();
  const uint64_t begin = page->events.empty() ? page->next : page->events.front().sequence - 1;
  const uint64_t after = request_.after.value_or(begin);
  if (begin > after) lost_ += begin - after;
  request_.after = begin;
  return absl::OkStatus();
}

}  // namespace packice::cli
