// The parameters of requests that have no JSON body, as the protocol's messages. Pure functions;
// thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "http_request.h"
#include "http_target.h"
#include "packice/core/event_ring.h"
#include "packice/core/peer.h"

namespace packice {

// GET /objects: `prefix`, `after`, `limit`. `invalid_argument`.
absl::StatusOr<ListRequest> ListFromQuery(const HttpTarget& target);

// GET /events: `after`, `limit`, `kinds` (with commas between), `wait_seconds`. `invalid_argument`.
absl::StatusOr<EventsRequest> EventsFromQuery(const HttpTarget& target);

// PUT /objects/{id}: what is to be created, for `meta` (or the header Packice-Meta) and
// `object_ttl_seconds`, and of the size that the request says. `invalid_argument`.
absl::StatusOr<AcquireRequest> CreateFromQuery(const HttpTarget& target,
                                               const HttpRequest& request);

}  // namespace packice
