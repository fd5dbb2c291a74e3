// What a PlainPeer counts and tells of what it has.
#include <cstdint>
#include <memory>
#include <numeric>
#include <set>

#include "packice/core/testing/plain_peer.h"

namespace packice {

uint64_t PlainPeer::LeasesOn(const Entry& entry, bool writers_only) const {
  uint64_t n = 0;
  for (const auto& [id, held] : leases_) {
    if (held.entry.get() != &entry) continue;
    if (!writers_only || held.lease.access == Access::kWrite) ++n;
  }
  return n;
}

uint64_t PlainPeer::Bytes() const {
  std::set<std::shared_ptr<Entry>> entries;
  for (const auto& [id, entry] : objects_) entries.insert(entry);
  for (const auto& [id, held] : leases_) entries.insert(held.entry);
  return std::accumulate(entries.begin(), entries.end(), uint64_t{0},
                         [](uint64_t sum, const auto& e) { return sum + e->object->size(); });
}

ObjectInfo PlainPeer::InfoOn(const Entry& entry) const {
  const Object& object = *entry.object;
  ObjectInfo info;
  info.object_id = object.id();
  info.state = object.state();
  info.metadata = object.metadata();
  for (const auto& blob : object.blobs()) info.blob_sizes.push_back(blob->size());
  info.leases = LeasesOn(entry);
  info.created_at = object.created_at();
  if (info.state == ObjectState::kSealed) info.sealed_at = object.sealed_at();
  info.expires_at = entry.expires_at;
  return info;
}

}  // namespace packice
