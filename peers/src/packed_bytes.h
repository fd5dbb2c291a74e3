// Bytes that never change, in one pointer and one allocation: a std::string in a quarter of the
// room, for what is kept a million times. Move-only; thread-compatible.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/strings/string_view.h"

namespace packice {

class PackedBytes {
 public:
  PackedBytes() = default;
  // Requires: less than 4 GiB.
  explicit PackedBytes(absl::string_view bytes) {
    if (bytes.empty()) return;
    const auto size = static_cast<uint32_t>(bytes.size());
    data_ = std::make_unique<char[]>(sizeof(size) + bytes.size());
    std::memcpy(data_.get(), &size, sizeof(size));
    std::memcpy(data_.get() + sizeof(size), bytes.data(), bytes.size());
  }

  absl::string_view view() const {
    if (data_ == nullptr) return absl::string_view();
    uint32_t size;
    std::memcpy(&size, data_.get(), sizeof(size));
    return absl::string_view(data_.get() + sizeof(size), size);
  }

 private:
  std::unique_ptr<char[]> data_;
};

}  // namespace packice
