// What a node keeps of an object in memory that nobody uses, beyond its id, as bytes: the times,
// the number under which the store keeps the bytes, and the metadata. A value.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/metadata.h"

namespace packice {

struct ParkedObject {
  absl::Time created_at;  // to the nanosecond
  absl::Time sealed_at;
  uint64_t blob = 0;  // see BlobStore::Park
  uint64_t size = 0;  // bytes
  Metadata metadata;

  // Without metadata at most PackedBytes::kInline, as good as always.
  std::string Pack() const;
  // Requires: what Pack made.
  static ParkedObject Unpack(absl::string_view packed);
};

}  // namespace packice
