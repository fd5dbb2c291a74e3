// HTTP by hand: one request, one response, one connection. Blocks; a test that would wait longer
// than a minute fails.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace packice {

struct HttpAnswer {
  int status = 0;  // 0: there was no response
  std::string headers;
  std::string body;
};

// `target` as it stands in the request line.
HttpAnswer AskHttp(uint16_t port, absl::string_view method, absl::string_view target,
                   absl::string_view body = "");

}  // namespace packice
