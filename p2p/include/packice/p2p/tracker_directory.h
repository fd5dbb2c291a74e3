// The directory of a fleet with trackers. With several, each object is told to the two trackers
// that rendezvous hashing gives it, and asked of either; so one tracker may be lost without loss.
//
// Owns its channels and a thread. Thread-safe. When it ends, calls under way are answered with
// `unavailable`, and watches must be gone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/random.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/tracker_server.h"

namespace packice {

struct TrackerDirectoryOptions {
  std::vector<std::string> trackers;  // "host:port", at least one
  std::string address;                // of the node it speaks for; empty: it only asks
  std::string zone;
  std::string token;
  GrpcTls tls;
  // Changes wait so long for company before they are told.
  absl::Duration batch_delay = absl::Milliseconds(20);
  absl::Duration call_timeout = absl::Seconds(2);
  std::function<double()> load = [] { return 0.0; };  // of the node's uplink
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

class TrackerDirectory final : public Directory {
 public:
  // Reaches no tracker yet. `invalid_argument`, `io` for files of TLS that cannot be read.
  static absl::StatusOr<std::unique_ptr<TrackerDirectory>> Make(TrackerDirectoryOptions options);
  ~TrackerDirectory() override;

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override;
  void Announce(const Holding& holding) override;
  void Withdraw(const ObjectId& object_id) override;
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) override;
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override;
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;

  // Tells all that waits now, and on a graceful end that this node is gone. Blocks, at most
  // `patience`. `timeout`; `unavailable` when trackers do not answer, for Flush more than the one
  // of several that may be lost. After Leave nothing is announced any more.
  absl::Status Flush(absl::Duration patience);
  absl::Status Leave(absl::Duration patience);

  struct TrackerState {
    std::string address;
    bool reachable = false;
    std::string failure;         // why not
    absl::Duration last_answer;  // so long ago; infinite: never
    TrackerStats stats;
  };
  // Asks all trackers. Blocks, at most call_timeout.
  std::vector<TrackerState> Trackers();
  std::string MetricsText() const;

 private:
  class Impl;
  explicit TrackerDirectory(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
