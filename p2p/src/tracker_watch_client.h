// A node's watch of all its trackers: one stream to each, begun again whenever it ends. Each stream
// first tells what is held, so that nothing that came before it, or during an outage, is missed.
//
// Thread-safe. `on_change` runs for one change at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "packice/core/mutex.h"
#include "packice/p2p/directory.h"
#include "tracker_link.h"

namespace packice {

class TrackerWatchClient : public std::enable_shared_from_this<TrackerWatchClient> {
 public:
  // Runs a function later, or never.
  using RunAfter = std::function<void(absl::Duration, std::function<void()>)>;

  TrackerWatchClient(std::string prefix, Directory::OnChange on_change, RunAfter run_after)
      : prefix_(std::move(prefix)),
        run_after_(std::move(run_after)),
        on_change_(std::move(on_change)) {}

  void Start(const std::vector<std::unique_ptr<TrackerLink>>& links);

  // No callback runs after that, and none runs any more, but for the one that calls this.
  void End();

 private:
  struct Source {
    TrackerLink* link = nullptr;
    uint32_t failures = 0;
    std::shared_ptr<TrackerLink::Stream> stream;
  };

  void Open(size_t source);
  void Tell(const tracker::v1::WatchResponse& response);
  void Again(size_t source);

  const std::string prefix_;
  const RunAfter run_after_;

  Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Source> sources_ ABSL_GUARDED_BY(mutex_);

  // Held while the callback runs; taken after mutex_ is let go.
  Mutex telling_;
  bool silent_ ABSL_GUARDED_BY(telling_) = false;
  Directory::OnChange on_change_ ABSL_GUARDED_BY(telling_);
};

}  // namespace packice
