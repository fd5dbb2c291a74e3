// What an object says of itself: a JSON object, frozen at Seal.
//
// Held as a map from each top-level key to the JSON text of its value, because core knows no JSON
// library: whoever reads JSON (a codec) vouches for the texts. A value type; thread-compatible.
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace packice {

class Metadata {
 public:
  // Of the JSON text, near enough: keys, values and four characters of punctuation each.
  static constexpr size_t kMaxBytes = 64 * 1024;

  // Requires: `json_value` is valid JSON text.
  void Set(absl::string_view key, absl::string_view json_value);

  // The JSON text of the value, if the key is there. Valid until the next change.
  absl::optional<absl::string_view> Find(absl::string_view key) const;

  // Takes over every key of `newer`; its values win.
  void Merge(const Metadata& newer);

  // `invalid_argument` when larger than kMaxBytes.
  absl::Status CheckSize() const;

  bool empty() const { return values_.empty(); }
  const absl::btree_map<std::string, std::string>& values() const { return values_; }

  friend bool operator==(const Metadata& a, const Metadata& b) { return a.values_ == b.values_; }

 private:
  absl::btree_map<std::string, std::string> values_;
};

}  // namespace packice
