// Who wants to hear of changes to which ids. Thread-safe; outlived by its watches or not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "packice/core/mutex.h"
#include "packice/p2p/directory.h"

namespace packice {

class DirectoryWatches {
 public:
  std::unique_ptr<Directory::Watch> Add(const std::string& prefix, Directory::OnChange on_change);

  bool Wants(const ObjectId& object_id) const;
  // Prefixes that are ids themselves.
  std::vector<ObjectId> Ids() const;
  // Runs the callbacks, which may add and end watches.
  void Tell(const DirectoryChange& change);

 private:
  class Watcher;
  class Handle;

  mutable Mutex mutex_;
  mutable std::vector<std::weak_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
