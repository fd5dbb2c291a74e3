// What names the bytes of an object in the swarm: the digest of its manifest. A value;
// thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice {

// The values are those on the wire.
enum class HashKind : uint8_t {
  kXxh3 = 1,    // XXH3-128: finds damage, is no defence against who makes collisions
  kSha256 = 2,  // for fleets that do not trust their members
};

absl::string_view HashKindName(HashKind kind);  // "xxh3", "sha256"
size_t DigestBytes(HashKind kind);              // 16, 32

class ContentDigest {
 public:
  static constexpr size_t kMaxBytes = 32;

  // Names nothing.
  ContentDigest() = default;
  // Requires: `bytes` is DigestBytes(kind) long.
  ContentDigest(HashKind kind, absl::string_view bytes);

  // The inverse of Encode. `invalid_argument`; empty text is the empty digest.
  static absl::StatusOr<ContentDigest> Decode(absl::string_view encoded);

  bool empty() const { return size_ == 0; }
  HashKind kind() const { return kind_; }  // requires: not empty
  absl::string_view bytes() const {
    return absl::string_view(reinterpret_cast<const char*>(bytes_.data()), size_);
  }

  // The kind's byte, then the bytes; nothing for the empty digest.
  std::string Encode() const;
  std::string ToText() const;  // "xxh3:00ff..."

  friend bool operator==(const ContentDigest& a, const ContentDigest& b) {
    return a.kind_ == b.kind_ && a.bytes() == b.bytes();
  }
  friend bool operator!=(const ContentDigest& a, const ContentDigest& b) { return !(a == b); }
  friend bool operator<(const ContentDigest& a, const ContentDigest& b) {
    return a.kind_ != b.kind_ ? a.kind_ < b.kind_ : a.bytes() < b.bytes();
  }
  template <typename H>
  friend H AbslHashValue(H state, const ContentDigest& digest) {
    return H::combine(std::move(state), digest.kind_, digest.bytes());
  }

 private:
  HashKind kind_ = HashKind::kXxh3;
  uint8_t size_ = 0;
  std::array<uint8_t, kMaxBytes> bytes_ = {};
};

}  // namespace packice
