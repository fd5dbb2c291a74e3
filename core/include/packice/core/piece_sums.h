// The checksum of each piece of a sealed blob: what tells whether bytes that were stored, or came
// over a network, are still those that were sealed. A value; copies share nothing.
//
// Core knows the form, not the function: whoever makes or checks sums has a PieceHash, and all of
// Packice has one (backends/piece_hash.h, XXH3-128).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace packice {

// 128 bits, in the byte order that a hex dump prints.
using Digest = std::array<uint8_t, 16>;

using PieceHash = Digest (*)(absl::string_view bytes);

struct PieceSums {
  // The last piece of a blob may be shorter; an empty blob has none.
  static constexpr uint64_t kPieceBytes = 1 << 20;

  std::vector<Digest> pieces;
};

}  // namespace packice
