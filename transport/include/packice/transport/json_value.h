// A JSON value that was read: what a NodeExtension and its clients take requests and answers apart
// with. A value, apart from the text it was read from; thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace packice {

class JsonValue {
 public:
  enum class Type : uint8_t { kNull, kBool, kNumber, kString, kList, kObject };

  // Strict JSON (RFC 8259) in UTF-8, nested at most 64 levels. `invalid_argument`.
  static absl::StatusOr<JsonValue> Parse(absl::string_view text);

  JsonValue() = default;  // null

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }

  // Each is empty for a value of another type.
  bool flag() const { return type_ == Type::kBool && text_ == "true"; }
  // Of a string its bytes, of a number how it was written.
  absl::string_view text() const;
  absl::optional<double> number() const;
  absl::optional<uint64_t> integer() const;  // also empty for other numbers than 0 to 2^64 - 1
  absl::Span<const JsonValue> list() const;
  // A member of an object; null where there is none. The last one of several of a name.
  const JsonValue& operator[](absl::string_view name) const;

  // JSON text without spaces; numbers as they were written.
  std::string ToText() const;

 private:
  friend struct JsonValueReader;

  Type type_ = Type::kNull;
  std::string text_;
  std::vector<JsonValue> items_;    // of a list; of an object as `names_`
  std::vector<std::string> names_;  // of an object
};

}  // namespace packice
