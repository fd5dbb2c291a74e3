// The simplest directory that keeps the rules: a map in this process that nodes share. For tests of
// what uses a directory, and to show what the conformance suite asks for.
//
// Everything is told at once, on the caller's thread. Choices fall in the order of addresses.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/p2p/directory.h"

namespace packice {

// What all nodes share. Thread-safe. Outlives its directories.
class PlainDirectoryFleet {
 public:
  explicit PlainDirectoryFleet(Clock& clock = Clock::System(), size_t origin_grants = 2)
      : clock_(clock), origin_grants_(origin_grants) {}

  // The view of the node at `address`. Watches of it must be gone before it goes.
  std::unique_ptr<Directory> Join(const std::string& address, const std::string& zone);

  // The node is gone without a word, with all that it held.
  void Forget(const std::string& address);

  // From then on nobody can tell: Locate and List answer `unavailable`.
  void SetUnavailable(bool unavailable);

 private:
  class View;
  struct Held {
    Holding holding;
    std::string zone;
  };
  using Holders = std::map<std::string, Held>;  // by address
  struct Watcher;

  bool HeldWhole(const ObjectId& object_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Held* Counts(const Holders& holders) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Change(const std::string& address, const ObjectId& object_id, const Held* held);
  absl::StatusOr<Location> Locate(const std::string& address, const std::string& zone,
                                  const LocateRequest& request);
  void LetToOrigin(const std::string& address, const ObjectId& object_id, Location& location)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  const size_t origin_grants_;
  Mutex mutex_;
  bool unavailable_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<ObjectId, Holders> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<ObjectId, std::map<std::string, Instant>> grants_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
