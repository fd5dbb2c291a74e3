// Takes an object away from the whole fleet: here, then at each holder that the directory names,
// until it names no new one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

// Kept alive by its own callbacks; all of it runs on the engine's thread.
class DiscardEverywhere : public std::enable_shared_from_this<DiscardEverywhere> {
 public:
  using Answer = absl::StatusOr<std::vector<SwarmPeer::Removal>>;

  // All outlive it; the directory answers on the engine's thread.
  DiscardEverywhere(ObjectId object_id, LocalObjects& objects, TransferEngine& engine,
                    Directory& directory, Done<Answer> done)
      : object_id_(std::move(object_id)),
        objects_(objects),
        engine_(engine),
        directory_(directory),
        done_(std::move(done)) {}

  void Start();

 private:
  void AskForHolders();
  void OnLocated(absl::StatusOr<Location> location);
  void OnDiscarded(const std::string& holder, absl::Status result);

  const ObjectId object_id_;
  LocalObjects& objects_;
  TransferEngine& engine_;
  Directory& directory_;
  Done<Answer> done_;
  std::vector<SwarmPeer::Removal> removals_;
  std::vector<std::string> asked_;
  size_t awaited_ = 0;
};

}  // namespace packice
