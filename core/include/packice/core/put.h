// The steps that a Put is made of, for peers that take them in a way of their own. Pure functions,
// but for what the blobs' medium does; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/object.h"
#include "packice/core/peer.h"

namespace packice {

// `invalid_argument` unless the sizes add up to `bytes`. No sizes are one blob of all of them.
absl::Status CheckBlobSizes(absl::Span<const uint64_t> sizes, size_t bytes);

// The Acquire of a Put. Takes from the request all but its bytes and whose it is.
AcquireRequest AcquireFor(PutRequest& request);

// Writes consecutive pieces of `bytes` into consecutive blobs, whose sizes are declared. May block
// for their medium; errors of Blob::Write.
absl::Status FillBlobs(Object& object, absl::string_view bytes);

}  // namespace packice
