// What a node on disk keeps in memory of an object beyond its id, as bytes: the times, the blobs'
// files and sizes, and the metadata. A value.
#pragma once

#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/backends/catalog.h"

namespace packice {

struct ObjectRest {
  absl::Time created_at;  // to the nanosecond, as the catalog has it
  absl::Time sealed_at;
  absl::InlinedVector<CatalogBlob, 1> blobs;
  absl::string_view metadata;  // JSON text; "" for {}. Points into what was unpacked.

  std::string Pack() const;
  // Requires: what Pack made.
  static ObjectRest Unpack(absl::string_view packed);
};

}  // namespace packice
