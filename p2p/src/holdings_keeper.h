// Tells the directory what this node holds: everything when it starts, then whatever changes. Looks
// at the node's own peer each time, so that what it tells last is what is there. Thread-safe.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "manifests.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/p2p/change_feed.h"
#include "packice/p2p/directory.h"
#include "work_threads.h"

namespace packice {

class HoldingsKeeper {
 public:
  // All outlive it. `held` is called, from its worker, for each object that is found here.
  HoldingsKeeper(Peer& local, ChangeFeed& changes, Directory& directory, Manifests& manifests,
                 WorkThreads& work, std::function<void(const ObjectId&)> held,
                 std::function<void(absl::string_view)> log);
  ~HoldingsKeeper();

  void Start();
  // Looks no more.
  void Stop();
  // Every now and then: at what could not be looked at, for a tier that was out of reach for
  // instance.
  void LookAgain();

  // Of the leases that it takes, each for a moment: odd while it holds one, and another number
  // after each.
  uint64_t looks() const { return looks_; }
  // Blocks until that moment is over.
  void AwaitLook();

 private:
  // One task at a time; each does a little and queues the next, so that others get their turn.
  void Queue();
  void Work();
  // Objects that were there at the start. False: that was all.
  bool LookAtPage();
  void Look(const ObjectId& object_id);
  absl::StatusOr<std::shared_ptr<Object>> Share(const ObjectId& object_id);
  absl::Status Tell(const ObjectId& object_id);

  Peer& local_;
  ChangeFeed& changes_;
  Directory& directory_;
  Manifests& manifests_;
  WorkThreads& work_;
  const std::function<void(const ObjectId&)> held_;
  const std::function<void(absl::string_view)> log_;
  const SessionId session_ = NewSessionId();
  Mutex look_mutex_;
  std::atomic<uint64_t> looks_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> queued_{false};
  // Of the task that runs.
  std::deque<ObjectId> pending_;
  absl::flat_hash_set<ObjectId> later_;
  std::atomic<bool> again_{false};
  bool listed_ = false;
  bool told_unlisted_ = false;
  std::string after_;
};

}  // namespace packice
