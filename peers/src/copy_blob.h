// The bytes of one blob into another, by the shortest way there is between them: how objects move
// between tiers. A function; thread-safe.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "packice/core/blob.h"

namespace packice {

// Copies all of `from`, which is sealed, to the beginning of `to`, which is being created and which
// nobody else writes. Does not seal. Blocks for both media; holds no descriptor or mapping of
// either when it returns, so that `to` can be sealed at once.
//
// Where both blobs can be opened on this host, and are not small, the kernel copies from the page
// cache of one to the page cache of the other, once; else the bytes go through a buffer of at most
// 1 MiB, with Read and Write. The disk begins to write a file while the rest is being copied.
//
// `go_on` is asked first, and again after each 16 MiB, on this thread; when it answers false the
// copy ends with `unavailable`, and `to` is good for nothing but to be discarded.
//
// Errors of Blob::Read and Blob::Write: `corrupt` when `from` ends before its size; `io`;
// `capacity` when the medium of `to` is full; `invalid_argument` when `to` was declared smaller;
// `permission_denied` when it is sealed; `lease_expired` when its file is gone; for a remote blob
// whatever its node answers, with `unavailable` when it cannot be reached.
absl::Status CopyBlob(const Blob& from, Blob& to, const std::function<bool()>& go_on);

}  // namespace packice
