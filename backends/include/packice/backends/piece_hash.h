// The checksum of Packice: XXH3-128 over each piece, in xxHash's canonical byte order, which
// `xxhsum -H2` prints. It finds damage; it is no defence against somebody who makes collisions
// (docs/decisions/0010-xxh3-for-checksums.md).
//
// Functions only; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/piece_sums.h"

namespace packice {

Digest HashPiece(absl::string_view bytes);

// The sums of the first `size` bytes of the open file `fd`, read by position: blocks for that long.
// `corrupt` when the file ends before, `io`.
absl::StatusOr<PieceSums> SumFile(int fd, uint64_t size);

// The indices of the pieces whose sums differ, or that only one of them has.
std::vector<uint64_t> DifferingPieces(const PieceSums& a, const PieceSums& b);

// For messages: "0, 3, 17", at most ten of them.
std::string ListOfPieces(const std::vector<uint64_t>& indices);

}  // namespace packice
