// Numbers as bytes, small ones in few. Functions only.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace packice {

// Seven bits a byte, lowest first; the high bit says that more follow.
inline void PutNumber(std::string& out, uint64_t number) {
  while (number >= 0x80) {
    out.push_back(static_cast<char>(number | 0x80));
    number >>= 7;
  }
  out.push_back(static_cast<char>(number));
}

// Requires: a number begins there.
inline uint64_t TakeNumber(absl::string_view& in) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
}

// Differences of either sign, small ones in few bytes.
inline uint64_t Fold(uint64_t difference) { return (difference << 1) ^ (0 - (difference >> 63)); }
inline uint64_t Unfold(uint64_t folded) { return (folded >> 1) ^ (0 - (folded & 1)); }

}  // namespace packice
