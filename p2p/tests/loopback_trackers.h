// Trackers on loopback, for tests. Needs no port that is known before.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/tracker_directory.h"
#include "packice/p2p/tracker_server.h"

namespace packice {

inline TrackerOptions LoopbackTracker() {
  TrackerOptions options;
  options.listen = "127.0.0.1:0";
  options.interval = absl::Seconds(2);
  return options;
}

inline std::unique_ptr<TrackerServer> StartTracker(TrackerOptions options = LoopbackTracker()) {
  auto server = TrackerServer::Start(std::move(options));
  EXPECT_THAT(server, IsOk());
  return server.ok() ? *std::move(server) : nullptr;
}

inline std::unique_ptr<TrackerDirectory> Join(TrackerDirectoryOptions options) {
  auto directory = TrackerDirectory::Make(std::move(options));
  EXPECT_THAT(directory, IsOk());
  return directory.ok() ? *std::move(directory) : nullptr;
}

}  // namespace packice
