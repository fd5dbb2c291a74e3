// Descriptors for clients that do not read by position: an open file description of their own.
#pragma once

#include "absl/status/statusor.h"
#include "packice/core/blob_descriptor.h"

namespace packice {

// The same bytes under a file position of its own, at offset 0, and nothing but these bytes: the
// file is opened anew, or copied to a sealed memfd where it holds other blobs too. `capacity`,
// `io`.
absl::StatusOr<FdDescriptor> PrivateDescriptor(const FdDescriptor& shared, bool writable);

}  // namespace packice
