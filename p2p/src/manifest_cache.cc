#include "manifest_cache.h"

#include <iterator>
#include <utility>

namespace packice {

void ManifestCache::Put(const ObjectId& object_id, absl::Time sealed_at,
                        std::shared_ptr<const Manifest> manifest) {
  constexpr uint64_t kOfEntry = 300;  // near enough: the list's node, the index, the value
  const uint64_t bytes = kOfEntry + manifest->piece_digests.size();
  MutexLock lock(mutex_);
  if (const auto it = index_.find(object_id); it != index_.end()) Remove(it->second);
  entries_.push_front({object_id, sealed_at, std::move(manifest), bytes});
  index_[object_id] = entries_.begin();
  bytes_ += bytes;
  while (bytes_ > max_bytes_ && entries_.size() > 1) Remove(std::prev(entries_.end()));
}

std::shared_ptr<const Manifest> ManifestCache::Find(const ObjectId& object_id,
                                                    absl::Time sealed_at) {
  MutexLock lock(mutex_);
  const auto it = index_.find(object_id);
  if (it == index_.end()) return nullptr;
  if (it->second->sealed_at != sealed_at) {
    Remove(it->second);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, it->second);
  return it->second->manifest;
}

void ManifestCache::Remove(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  index_.erase(entry->object_id);
  entries_.erase(entry);
}

}  // namespace packice
