// What a tracker takes: the checks of requests, before anything of them is believed. Pure
// functions; all fail with `invalid_argument`.
#pragma once

#include "absl/status/status.h"
#include "packice/proto/tracker.pb.h"

namespace packice {

absl::Status Check(const tracker::v1::AnnounceRequest& request);
absl::Status Check(const tracker::v1::WithdrawRequest& request);
absl::Status Check(const tracker::v1::LocateRequest& request);
absl::Status Check(const tracker::v1::ReportRequest& request);
absl::Status Check(const tracker::v1::WatchRequest& request);

}  // namespace packice
