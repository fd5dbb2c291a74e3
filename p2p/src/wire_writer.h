// Appends numbers, little endian, and runs of bytes to a string that somebody else owns.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace packice {

class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void U8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void U16(uint16_t value) { Number(value, 2); }
  void U32(uint32_t value) { Number(value, 4); }
  void U64(uint64_t value) { Number(value, 8); }
  void Bytes(absl::string_view bytes) { out_.append(bytes.data(), bytes.size()); }

  // Their length first. Requires: it fits.
  void Bytes8(absl::string_view bytes) {
    U8(static_cast<uint8_t>(bytes.size()));
    Bytes(bytes);
  }
  void Bytes16(absl::string_view bytes) {
    U16(static_cast<uint16_t>(bytes.size()));
    Bytes(bytes);
  }
  void Bytes32(absl::string_view bytes) {
    U32(static_cast<uint32_t>(bytes.size()));
    Bytes(bytes);
  }

 private:
  void Number(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) U8(static_cast<uint8_t>(value >> (8 * i)));
  }

  std::string& out_;
};

}  // namespace packice
