// A node's events, one page after another, over what it has forgotten meanwhile.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "packice/client.h"

namespace packice::cli {

// For one thread; blocks for the node. The client outlives it.
class EventFeed {
 public:
  // From `request.after` on.
  EventFeed(Client& client, EventsRequest request) : client_(client), request_(request) {}

  // From now on, whatever was before.
  absl::Status SkipToEnd();

  // The next page; empty when there was nothing new for `wait`. Where the node has forgotten
  // events, goes on with the oldest it has and counts them in lost(). Errors are those of
  // Client::Events.
  absl::StatusOr<EventPage> Next(absl::Duration wait);

  // Events, of any kind, that went before they were read.
  uint64_t lost() const { return lost_; }

 private:
  absl::Status SkipGap();

  Client& client_;
  EventsRequest request_;
  uint64_t lost_ = 0;
};

}  // namespace packice::cli
