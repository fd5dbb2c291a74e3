// The steps that a Put is made of, for peers that take them in a way of their own. Thread-safe
// functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/functional/any_invocable.h"
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

// As Peer::Put is by default, for a peer that keeps gathered calls in order: the lease ends in the
// message that seals. `run` is given what may block, to run it at once or on another thread.
void PutGathered(Peer& peer, PutRequest request,
                 std::function<void(absl::AnyInvocable<void() &&>)> run,
                 Done<absl::StatusOr<Sealed>> done);

}  // namespace packice
