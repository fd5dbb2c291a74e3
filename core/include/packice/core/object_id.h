// The name of an object: 1 to 255 bytes, any bytes. A value, immutable, cheap to move.
//
// A default-constructed ObjectId is empty and names nothing; it stands where an id is optional.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/packed_bytes.h"

namespace packice {

class ObjectId {
 public:
  static constexpr size_t kMaxBytes = 255;

  ObjectId() = default;

  // `invalid_argument` unless `bytes` is 1 to 255 bytes long.
  static absl::StatusOr<ObjectId> Parse(absl::string_view bytes);

  bool empty() const { return bytes_.empty(); }
  absl::string_view bytes() const { return bytes_.view(); }

  // For messages and logs: quoted, with control characters escaped.
  std::string ToQuoted() const;

  friend bool operator==(const ObjectId& a, const ObjectId& b) { return a.bytes() == b.bytes(); }
  friend bool operator!=(const ObjectId& a, const ObjectId& b) { return !(a == b); }
  friend bool operator<(const ObjectId& a, const ObjectId& b) { return a.bytes() < b.bytes(); }
  template <typename H>
  friend H AbslHashValue(H state, const ObjectId& id) {
    return H::combine(std::move(state), id.bytes());
  }

 private:
  explicit ObjectId(absl::string_view bytes) : bytes_(bytes) {}

  PackedBytes bytes_;
};

}  // namespace packice
