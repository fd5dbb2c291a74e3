// Takes an object away from the whole fleet: here, then at each holder that the directory names,
// until it names no new one, and no content of the id that others might still hold: it knows one
// content at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "packice/core/clock.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/transfer_engine.h"
#include "post.h"
#include "timer_thread.h"

namespace packice {

// Kept alive by its own callbacks; all of it runs on the engine's thread.
class DiscardEverywhere : public std::enable_shared_from_this<DiscardEverywhere> {
 public:
  using Answer = absl::StatusOr<std::vector<SwarmPeer::Removal>>;

  // All outlive it; the directory answers on the engine's thread.
  DiscardEverywhere(ObjectId object_id, LocalObjects& objects, TransferEngine& engine,
                    Directory& directory, TimerThread& timers, Post post, const Clock& clock,
                    Done<Answer> done)
      : object_id_(std::move(object_id)),
        objects_(objects),
        engine_(engine),
        directory_(directory),
        timers_(timers),
        post_(std::move(post)),
        clock_(clock),
        done_(std::move(done)) {}

  void Start();

 private:
  // A directory hears of what was discarded within this.
  static constexpr int kLooks = 20;
  static constexpr absl::Duration kPause = absl::Milliseconds(50);

  void AskForHolders();
  void LookAgain();
  void OnLocated(absl::StatusOr<Location> location);
  void OnDiscarded(const std::string& holder, absl::Status result);

  const ObjectId object_id_;
  LocalObjects& objects_;
  TransferEngine& engine_;
  Directory& directory_;
  TimerThread& timers_;
  const Post post_;
  const Clock& clock_;
  Done<Answer> done_;
  std::vector<SwarmPeer::Removal> removals_;
  std::vector<std::string> asked_;
  size_t awaited_ = 0;
  int looks_ = 0;
};

}  // namespace packice
