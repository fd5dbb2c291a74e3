// The text of responses: status lines, headers, failures. Pure functions but for the date;
// thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "http_failure.h"

namespace packice {

struct HttpResponseHead {
  int status = 200;
  absl::string_view content_type;  // empty: none
  absl::string_view headers;       // further ones, each with its line end
  // Of the body, also where it is not sent (HEAD). Nothing for a 304, which has none.
  absl::optional<uint64_t> content_length;
};

// Whether the connection goes on, and whether that must be said.
struct HttpKeepAlive {
  bool keep = true;
  bool http_1_0 = false;
};

inline constexpr absl::string_view kJsonType = "application/json";

// Status line to empty line.
void AppendHead(const HttpResponseHead& head, HttpKeepAlive keep_alive, std::string& out);

// A failure's JSON object, with its line end.
std::string FailureBody(const HttpFailure& failure);

}  // namespace packice
