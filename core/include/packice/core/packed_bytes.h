// Bytes that never change, for what is kept a million times: 24 bytes, in which up to 23 have their
// place; longer ones take an allocation of just their size. A value, cheap to move; what was moved
// from is empty. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/string_view.h"

namespace packice {

class alignas(void*) PackedBytes {
 public:
  static constexpr size_t kInline = 23;

  PackedBytes() = default;
  // Requires: less than 4 GiB.
  explicit PackedBytes(absl::string_view bytes) {
    if (bytes.size() <= kInline) {
      if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
      length_ = static_cast<uint8_t>(bytes.size());
      return;
    }
    const Apart apart{new char[bytes.size()], static_cast<uint32_t>(bytes.size())};
    std::memcpy(apart.bytes, bytes.data(), bytes.size());
    std::memcpy(data_, &apart, sizeof(apart));
    length_ = kApart;
  }
  PackedBytes(const PackedBytes& other) {
    if (other.length_ == kApart) {
      *this = PackedBytes(other.view());
    } else {
      TakeAll(other);
    }
  }
  PackedBytes(PackedBytes&& other) noexcept {
    TakeAll(other);
    other.length_ = 0;
  }
  PackedBytes& operator=(const PackedBytes& other) { return *this = PackedBytes(other); }
  PackedBytes& operator=(PackedBytes&& other) noexcept {
    if (this == &other) return *this;
    Drop();
    TakeAll(other);
    other.length_ = 0;
    return *this;
  }
  ~PackedBytes() { Drop(); }

  bool empty() const { return length_ == 0; }
  absl::string_view view() const {
    if (length_ != kApart) return absl::string_view(data_, length_);
    const Apart there = apart();
    return absl::string_view(there.bytes, there.size);
  }

 private:
  struct Apart {
    char* bytes;
    uint32_t size;
  };
  static constexpr uint8_t kApart = UINT8_MAX;

  Apart apart() const {
    Apart apart;
    std::memcpy(&apart, data_, sizeof(apart));
    return apart;
  }
  // Whatever the length: 24 bytes are copied faster than so many of them as count.
  void TakeAll(const PackedBytes& other) {
    std::memcpy(data_, other.data_, kInline);
    length_ = other.length_;
  }
  void Drop() {
    if (length_ == kApart) delete[] apart().bytes;
  }

  char data_[kInline] = {};
  uint8_t length_ = 0;
};
static_assert(sizeof(PackedBytes) == 24);

}  // namespace packice
