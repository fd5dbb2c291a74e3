// The SDK's options as a peer's requests. Pure functions.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/client.h"
#include "packice/core/peer.h"

namespace packice::sdk {

// An empty id is allowed. `invalid_argument` for an id or metadata that cannot be.
absl::StatusOr<AcquireRequest> CreateRequest(absl::string_view id, const CreateOptions& options);

// The same for a put; `bytes` are not copied.
absl::StatusOr<PutRequest> PutRequestOf(absl::string_view id, absl::string_view bytes,
                                        const CreateOptions& options);

absl::StatusOr<AcquireRequest> ReadRequest(absl::string_view id, const GetOptions& options);

// For what takes an existing object away, from its id or altogether.
absl::StatusOr<AcquireRequest> WriteRequest(absl::string_view id);

}  // namespace packice::sdk
