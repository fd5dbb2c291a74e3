// Directories of a fleet that know everything at once: what a swarm is tested over where a tracker
// would be out of reach. Thread-safe. The fleet outlives its directories.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "packice/core/mutex.h"
#include "packice/p2p/directory.h"

namespace packice {

class PlainFleet {
 public:
  // What the node that gives pieces at `address` sees.
  std::unique_ptr<Directory> Join(const std::string& address);

  // From now on every question is answered `unavailable`, or not any more.
  void SetReachable(bool reachable);
  // Whoever has an origin may read from it.
  void GrantOrigin(bool grant);

  struct Told {
    ObjectId object_id;
    std::string holder;
    HolderFault fault;
  };
  std::vector<Told> reports() const;
  // Addresses of those who hold all of it.
  std::vector<std::string> Holders(const ObjectId& object_id) const;

 private:
  class View;
  class Watching;
  using Holdings = std::map<std::string, Holding>;  // by address
  using OnChange = Directory::OnChange;

  absl::StatusOr<Location> Locate(const LocateRequest& request, const std::string& asker) const;
  void Set(const std::string& address, const ObjectId& object_id,
           const absl::optional<Holding>& holding);

  mutable Mutex mutex_;
  bool reachable_ ABSL_GUARDED_BY(mutex_) = true;
  bool grant_origin_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<ObjectId, Holdings> objects_ ABSL_GUARDED_BY(mutex_);
  std::list<std::pair<std::string, std::shared_ptr<OnChange>>> watches_ ABSL_GUARDED_BY(mutex_);
  std::vector<Told> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
