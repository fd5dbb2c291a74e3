// Takes apart what WireWriter put together. Trusts nothing: what is not there reads as zero or
// empty, and from then on ok() is false. Thread-compatible; the bytes outlive it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace packice {

class WireReader {
 public:
  explicit WireReader(absl::string_view bytes) : left_(bytes) {}

  uint8_t U8() { return static_cast<uint8_t>(Number(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Number(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Number(4)); }
  uint64_t U64() { return Number(8); }

  absl::string_view Bytes(size_t size) {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
    }
    const absl::string_view bytes = left_.substr(0, ok_ ? size : 0);
    left_.remove_prefix(bytes.size());
    return bytes;
  }

  // Their length comes first.
  absl::string_view Bytes8() { return Bytes(U8()); }
  absl::string_view Bytes16() { return Bytes(U16()); }
  absl::string_view Bytes32() { return Bytes(U32()); }

  bool ok() const { return ok_; }
  size_t left() const { return left_.size(); }
  // All was read, and nothing was missing.
  bool done() const { return ok_ && left_.empty(); }

 private:
  uint64_t Number(size_t size) {
    uint64_t value = 0;
    const absl::string_view bytes = Bytes(size);
    for (size_t i = 0; i < bytes.size(); ++i) {
      value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
  }

  absl::string_view left_;
  bool ok_ = true;
};

}  // namespace packice
