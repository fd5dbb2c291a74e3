// A request's head, as far as a node heeds it. A value; strings are the client's bytes, unchecked.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace packice {

enum class HttpMethod : uint8_t { kGet, kHead, kPost, kPut, kDelete, kOther };

struct HttpRequest {
  HttpMethod method = HttpMethod::kOther;
  std::string target;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool has_host = false;
  // Of the body. Neither: there is none.
  absl::optional<uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;
  bool expects_else = false;
  bool coded = false;  // a transfer coding other than chunked
  // From a page in a browser.
  bool has_origin = false;

  std::string authorization;
  std::string content_range;
  std::string if_match;
  std::string if_none_match;
  std::string if_range;
  std::string metadata;  // Packice-Meta
  std::string range;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

}  // namespace packice
