// The manifests of objects that were asked for last, because to make one means to read the object.
// Bounded by their bytes. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"
#include "packice/p2p/manifest.h"

namespace packice {

class ManifestCache {
 public:
  explicit ManifestCache(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Which object of that id it is of: an id may be used again, but not sealed twice at one time.
  void Put(const ObjectId& object_id, absl::Time sealed_at,
           std::shared_ptr<const Manifest> manifest);
  // Null: it has to be made.
  std::shared_ptr<const Manifest> Find(const ObjectId& object_id, absl::Time sealed_at);

 private:
  struct Entry {
    ObjectId object_id;
    absl::Time sealed_at;
    std::shared_ptr<const Manifest> manifest;
    uint64_t bytes;
  };
  using Entries = std::list<Entry>;  // the one that was used last is first

  void Remove(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t max_bytes_;
  Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ObjectId, Entries::iterator> index_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace packice
