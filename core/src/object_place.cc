#include "packice/core/object_place.h"

#include <sys/stat.h>

#include "packice/core/blob_descriptor.h"

namespace packice {

absl::optional<ObjectPlace> PlaceOf(const Object& object) {
  if (object.blobs().empty()) return absl::nullopt;
  const BlobDescriptor descriptor = object.blobs().front()->Describe();
  const auto* const bytes = absl::get_if<FdDescriptor>(&descriptor);
  if (bytes == nullptr) return absl::nullopt;
  if (bytes->segment != nullptr) return ObjectPlace{bytes->segment->id, bytes->offset};
  struct stat status = {};
  if (bytes->fd == nullptr || fstat(bytes->fd->get(), &status) != 0) return absl::nullopt;
  return ObjectPlace{0, status.st_ino};
}

}  // namespace packice
