// A JSON object that is being written, member by member. A value; thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace packice {

class JsonObject {
 public:
  // Any bytes; those that are not UTF-8 become U+FFFD.
  JsonObject& Text(absl::string_view name, absl::string_view value);
  JsonObject& Integer(absl::string_view name, uint64_t value);
  // One that is not finite is null.
  JsonObject& Number(absl::string_view name, double value);
  JsonObject& Flag(absl::string_view name, bool value);
  // In seconds; infinite is null.
  JsonObject& Seconds(absl::string_view name, absl::Duration value);
  // `json` is JSON text.
  JsonObject& Json(absl::string_view name, absl::string_view json);
  JsonObject& List(absl::string_view name, const std::vector<std::string>& json);

  // "{...}".
  std::string ToText() const { return text_ + "}"; }

 private:
  void Name(absl::string_view name);

  std::string text_ = "{";
};

}  // namespace packice
