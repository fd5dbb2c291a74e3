// The manifests of this node's objects: found where they were made before, else made. Thread-safe.
#pragma once

#include <atomic>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "manifest_cache.h"
#include "packice/core/object.h"
#include "packice/core/peer.h"
#include "packice/p2p/manifest.h"

namespace packice {

class Manifests {
 public:
  // `local` outlives it.
  Manifests(Peer& local, HashKind hash) : local_(local), hash_(hash), cache_(kCacheBytes) {}

  // Of a sealed object; null: it has to be made.
  std::shared_ptr<const Manifest> Find(const Object& object) {
    return cache_.Find(object.id(), object.sealed_at());
  }
  // Blocks for the object's bytes where it has to be made, or until Stop. Errors of MakeManifest,
  // and of Stat.
  absl::StatusOr<std::shared_ptr<const Manifest>> FindOrMake(const Object& object);
  // That of an object which was copied here.
  void Put(const Object& object, std::shared_ptr<const Manifest> manifest) {
    cache_.Put(object.id(), object.sealed_at(), std::move(manifest));
  }

  void Stop() { stop_ = true; }

 private:
  static constexpr uint64_t kCacheBytes = 64 << 20;

  Peer& local_;
  const HashKind hash_;
  ManifestCache cache_;
  std::atomic<bool> stop_{false};
};

}  // namespace packice
