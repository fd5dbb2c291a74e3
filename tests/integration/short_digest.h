// Whether bytes are the same bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace packice {

// A digest of 64 bits, the same in every process: whether bytes are the same bytes, not who made
// them.
class ShortDigest {
 public:
  void Add(absl::string_view bytes) {
    size_ += bytes.size();
    for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t))) {
      uint64_t word;
      std::memcpy(&word, bytes.data(), sizeof(word));
      Mix(word);
    }
    uint64_t rest = 0;
    std::memcpy(&rest, bytes.data(), bytes.size());
    if (!bytes.empty()) Mix(rest);
  }
  uint64_t Value() const { return state_ ^ size_ * 0x9e3779b97f4a7c15; }

 private:
  void Mix(uint64_t word) {
    const __uint128_t product = static_cast<__uint128_t>(state_ ^ word) * 0xa0761d6478bd642f;
    state_ = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^ word;
  }
  uint64_t state_ = 0xe7037ed1a0b428db;
  uint64_t size_ = 0;
};

}  // namespace packice
