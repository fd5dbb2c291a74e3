// Makes the manifest of an object that is sealed here. A function; thread-safe.
#pragma once

#include <atomic>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/object.h"
#include "packice/p2p/manifest.h"

namespace packice {

// Reads all of the object's bytes: blocks for that long, or until `stop`. `invalid_argument` for an
// object of more than Manifest::kMaxPieces pieces; `unavailable` when stopped; errors of
// Blob::Read.
absl::StatusOr<Manifest> MakeManifest(const Object& object, absl::optional<absl::Time> expires_at,
                                      HashKind hash, const std::atomic<bool>& stop);

}  // namespace packice
