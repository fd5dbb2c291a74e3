// Where an HTTP node is: what an http:// or https:// target says. A value.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice {

struct HttpAddress {
  bool tls = false;
  std::string host;       // a name or a numeric address, without brackets
  std::string port;       // decimal; the scheme's own where the target has none
  std::string authority;  // for the Host header (RFC 9110, 7.2)

  // `invalid_argument` for anything but scheme://host[:port][/].
  static absl::StatusOr<HttpAddress> Parse(absl::string_view url);

  std::string ToString() const;  // "https://host:port"
};

// For use in a path or a query: all but unreserved characters escaped (RFC 3986, 2.1 and 2.3).
std::string PercentEncode(absl::string_view bytes);

}  // namespace packice
