#include "manifests.h"

#include <utility>

#include "manifest_maker.h"
#include "packice/core/blocking.h"

namespace packice {

absl::StatusOr<std::shared_ptr<const Manifest>> Manifests::FindOrMake(const Object& object) {
  if (std::shared_ptr<const Manifest> found = Find(object); found != nullptr) return found;
  const absl::StatusOr<ObjectInfo> info = blocking::Stat(local_, object.id());
  if (!info.ok()) return info.status();
  absl::StatusOr<Manifest> made = MakeManifest(object, info->expires_at, hash_, stop_);
  if (!made.ok()) return made.status();
  auto manifest = std::make_shared<const Manifest>(*std::move(made));
  Put(object, manifest);
  return manifest;
}

}  // namespace packice
